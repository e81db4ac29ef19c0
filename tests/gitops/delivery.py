"""The stage of a service that comes from Git: its objects are committed, and a tool brings them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import yaml

from rollout.resources.writes import Kind, Object
from tests.gitops.build import ARGO_CD, FLUX
from tests.gitops.manifests import application, config_map, project
from tests.gitops.parts import Running
from tests.gitops.repository import FOLDER, Repository
from tests.scenarios.scenario import Ends, Scenario
from tests.scenarios.stage import Server, Stage
from tests.scenarios.test_commits import await_

EVERY: Final = "1s"
NOTES: Final = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "notes"},
    "data": {"said": "nobody reads this"},
}
SCENE: Final = Scenario(
    claim="", rollout={"trigger": "Template"}, ends=Ends(phase="", exit=0), tells=("Started",)
)


class Delivered(Stage):
    """A stage whose objects come from a repository, by a tool that looks once a second."""

    def __init__(self, server: Server, namespace: str, folder: Path) -> None:
        super().__init__(server, namespace, SCENE, folder)
        self.repository = Repository(folder / "repository", server.kubectl)
        self.tool: Running

    def _bring(self, *bodies: Object) -> None:
        self.repository.begin(*map(self.owned, (*self.besides(), *bodies)))
        self.tool = self._stack.enter_context(self._tool())
        await_(lambda: self.get(Kind.ROLLOUT, "web") is not None and self._has_target())

    def _has_target(self) -> bool:
        return self.get(Kind.DEPLOYMENT, "web") is not None

    def _tool(self) -> Running:
        raise NotImplementedError

    def read(self) -> tuple[str, ...]:
        """Say to a tool what it reads, and how."""
        source = ("-repository", str(self.repository.folder))
        return (*source, "-render", str(self.repository.render))

    def besides(self) -> tuple[Object, ...]:
        """What Git has that is no part of the shop."""
        return (NOTES,)

    def owned(self, body: Object) -> Object:
        """Say in Git what others may change."""
        if body["kind"] != "Service":
            return body
        return {**body, "metadata": {**body["metadata"], "labels": {"team": "shop"}}}

    def label_service(self, team: str) -> None:
        """Have somebody change by hand what Git says of the Service."""
        self.patch(Kind.SERVICE, "web", {"metadata": {"labels": {"team": team}}})

    def team(self) -> str | None:
        """What the Service says of its team."""
        found = self.get(Kind.SERVICE, "web")
        return found["metadata"]["labels"]["team"] if found else None


class ByArgoCD(Delivered):
    """Argo CD brings it, as `manifests/argocd/application.yaml` has it do that."""

    def __init__(
        self,
        server: Server,
        namespace: str,
        folder: Path,
        *,
        without: tuple[str, ...] = (),
        everything: bool = False,
    ) -> None:
        """`without`: sync options, and kinds of ignored fields, that the Application lacks."""
        super().__init__(server, namespace, folder)
        self._without, self.everything = without, everything

    def _tool(self) -> Running:
        everything = ["-everything"] if self.everything else []
        return self.argo_cd("argocd", self.policy, *everything)

    def owned(self, body: Object) -> Object:
        """Say more, as manifests do that people have: at its word, this one would roll at once."""
        if body["kind"] != "Deployment":
            return super().owned(body)
        return {**body, "spec": {**body["spec"], "paused": False, "revisionHistoryLimit": 7}}

    def besides(self) -> tuple[Object, ...]:
        """Say the namespace as well, as the sample service does.

        Not where everything is written at each look: what is written before the Service makes what
        was seen of its selector older.
        """
        if self.everything:
            return ()
        metadata = {"name": self.namespace, "labels": {"team": "shop"}}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        return (namespace, *super().besides())

    def policy(self, application: Object) -> Object:
        """Leave out what this stage goes without."""
        spec = application["spec"]
        policy = spec["syncPolicy"]
        options = [one for one in policy["syncOptions"] if one not in self._without]
        lines = [one for one in spec["ignoreDifferences"] if one["kind"] not in self._without]
        changed = {"syncPolicy": {**policy, "syncOptions": options}, "ignoreDifferences": lines}
        return {**application, "spec": {**spec, **changed}}

    def argo_cd(
        self,
        name: str,
        changed: Callable[[Object], Object],
        *options: str,
        restricted: Callable[[Object], Object] = lambda found: found,
    ) -> Running:
        """Argo CD with another Application or AppProject, on the same repository and namespace."""
        named = application(self.namespace)
        # A Namespace lies in none: of the same name, one Application would prune another's.
        named = {**named, "metadata": {**named["metadata"], "name": self.namespace}}
        given = {
            "application": changed(named),
            "project": restricted(project(self.namespace)),
        }
        files = {kind: self.folder / f"{name}-{kind}.yaml" for kind in given}
        for kind, file in files.items():
            file.write_text(yaml.safe_dump(dict(given[kind])))
        arguments = [
            *("sync", "-kubeconfig", str(self.server.kubeconfig)),
            *("-application", str(files["application"]), "-project", str(files["project"])),
            *("-config-map", str(config_map(self.folder)), "-every", EVERY),
            *self.read(),
            *options,
        ]
        return Running(ARGO_CD, arguments, self.folder / f"{name}.log")

    def looks(self, since: str = "") -> list[dict[str, Any]]:
        """What Argo CD saw and did at each look, all or those at one revision."""
        return [one for one in self.tool.said() if since in {"", one["revision"]}]

    def health(self) -> dict[str, str]:
        """What Argo CD shows of all but the Ingress, which waits for an address in vain."""
        shown = self.tool.said()[-1]["health"]
        return {name: said for name, said in shown.items() if not name.startswith("Ingress/")}


class ByFlux(Delivered):
    """Flux brings it: its apply engine, with the options of its kustomize-controller."""

    def _tool(self) -> Running:
        arguments = [
            *("apply", "-kubeconfig", str(self.server.kubeconfig), "-every", EVERY),
            *("-folder", FOLDER, *self.read(), "-namespace", self.namespace),
        ]
        return Running(FLUX, arguments, self.folder / "flux.log")
