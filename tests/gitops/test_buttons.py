"""What a button writes, sent to the real control plane by the account that Argo CD's server has."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from rollout.kube.client import HttpCluster
from rollout.kube.errors import Forbidden
from rollout.resources.action import ActionType
from rollout.resources.objects import name_of
from rollout.resources.writes import Create, Kind, Object, Patch, PatchType
from tests import build
from tests.controlplane.access import Access
from tests.gitops.build import ARGO_CD
from tests.gitops.delivery import SCENE
from tests.gitops.manifests import ACCOUNT, FOLDER, config_map
from tests.gitops.parts import answers
from tests.gitops.test_argocd import running, weight
from tests.install.installed import apply, install_rights
from tests.scenarios.commits import commit, ready, releases
from tests.scenarios.stage import Server, Stage
from tests.scenarios.test_commits import await_, outcome, said
from tests.scenarios.test_scenarios import real

__all__ = ["real"]
pytestmark = [pytest.mark.system, pytest.mark.controlplane, pytest.mark.timeout(180)]
ACCOUNT_OBJECTS: Final[list[dict[str, Any]]] = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}},
    {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "argocd-server", "namespace": "argocd"},
    },
]
SERVER: Final = {"kind": "ServiceAccount", "name": "argocd-server", "namespace": "argocd"}
OWN_RULES: Final = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["delete", "get", "patch"]}]
"""What Argo CD gives its server by itself."""
KINDS: Final = {"Release": Kind.RELEASE, "Rollout": Kind.ROLLOUT}


@pytest.fixture
def server(control_plane: Access) -> Iterator[HttpCluster]:
    """A client with the token of Argo CD's server."""
    install_rights(control_plane)
    apply(control_plane, ACCOUNT_OBJECTS)
    cluster = client(control_plane, "argocd-server", "argocd")
    yield cluster
    cluster.close()


def client(plane: Access, account: str, namespace: str) -> HttpCluster:
    """A client with the token of an account."""
    asked = (account, f"--namespace={namespace}", "--duration=1h")
    token = plane.kubectl("create", "token", *asked).stdout.strip()
    return HttpCluster.for_server(plane.url, token, str(plane.ca_file))


def allow_own(plane: Access, namespace: str) -> None:
    """Give Argo CD's server in a namespace what Argo CD gives it; other tests go without."""
    apply(plane, rights(namespace, "own", OWN_RULES, [SERVER]))
    await_right(plane, "patch", namespace)


def allow_ours(plane: Access, namespace: str) -> None:
    """Give whom access.yaml names in a namespace what it says."""
    role, binding = yaml.safe_load_all((FOLDER / "access.yaml").read_text())
    apply(plane, rights(namespace, "ours", role["rules"], binding["subjects"]))
    await_right(plane, "rollback", namespace)


def rights(namespace: str, name: str, rules: Any, subjects: Any) -> list[dict[str, Any]]:
    group, metadata = "rbac.authorization.k8s.io", {"name": name, "namespace": namespace}
    common = {"apiVersion": f"{group}/v1", "metadata": metadata}
    ref = {"apiGroup": group, "kind": "Role", "name": name}
    return [
        {**common, "kind": "Role", "rules": rules},
        {**common, "kind": "RoleBinding", "roleRef": ref, "subjects": subjects},
    ]


def test_the_cluster_takes_a_button_from_argo_cd_with_our_rights_and_not_without(
    control_plane: Access, server: HttpCluster, namespace: str, tmp_path: Path
) -> None:
    allow_own(control_plane, namespace)
    there = HttpCluster.for_server(
        control_plane.url, control_plane.token(), str(control_plane.ca_file)
    )
    asked = {str(type_): f"web-{type_}".lower() for type_ in ActionType}
    bodies = [build.release(name, "v2") for name in asked.values()]
    found = [there.apply(Create(Kind.RELEASE, namespace, body)) for body in bodies]
    patches = [
        said["actions"][name]["writes"][0]["patch"]
        for name, said in zip(asked, judged(found, tmp_path), strict=True)
    ]
    pressed = list(zip(asked.items(), found, patches, strict=True))
    for (name, release), body, patch in pressed:
        refused = rf'may not {name} release {release} .* the verb "{name}"'
        with pytest.raises(Forbidden, match=refused):
            send(server, namespace, body, patch)
    allow_ours(control_plane, namespace)
    for (name, release), body, patch in pressed:
        send(server, namespace, body, patch)
        action = there.get(Kind.RELEASE, namespace, release)["spec"]["action"]
        assert (action["type"], action["by"]) == (name, ACCOUNT)
    there.close()


def test_a_person_releases_with_the_buttons_and_sees_in_argo_cd_how_it_stands(
    control_plane: Access, real: Server, server: HttpCluster, namespace: str, tmp_path: Path
) -> None:
    """With the rights of access.yaml alone; each object as the API server has it."""
    allow_ours(control_plane, namespace)
    with Stage(real, namespace, SCENE, tmp_path) as stage:
        person = Person(stage, server)
        stage.start_controller()
        await_(lambda: ready(stage) == "WaitsForTemplate")
        commit(stage, "v2")
        await_(lambda: running(stage, "v2") and weight(stage) > 0)
        assert person.sees() == ("Progressing", "Progressing", "Suspended")
        person.presses("pause")
        person.waits_for("Suspended", "Suspended", "Suspended")
        person.presses("resume")
        person.waits_for("Progressing", "Progressing", "Suspended")
        person.presses("promoteFull")
        person.waits_for("Healthy", "Healthy", "Healthy")
        assert outcome(stage) == ("v2 Succeeded Succeeded",), said(stage)
        commit(stage, "v3")
        await_(lambda: running(stage, "v3") and weight(stage) > 0)
        person.presses("rollback")
        person.waits_for("Degraded", "Degraded", "Suspended")
        with client(control_plane, "default", namespace) as nobody, pytest.raises(Forbidden):
            Person(stage, nobody).presses_retry()
        person.presses_retry()
        await_(lambda: len(releases(stage)) == 3 and weight(stage) > 0)
        person.presses("promote")
        person.waits_for("Progressing", "Progressing", "Suspended")
        assert stage.stop_controller() == 0, stage.log()


class Person:
    """Somebody at Argo CD's page, who sees the newest release of a stage and presses buttons."""

    def __init__(self, stage: Stage, server: HttpCluster) -> None:
        self._stage, self._server = stage, server

    def sees(self) -> tuple[str, ...]:
        """Health of the Release, the Rollout and the Deployment."""
        return tuple(said["health"] for said in judged(self._live(), self._stage.folder))

    def waits_for(self, *wanted: str) -> None:
        await_(lambda: self.sees() == wanted)

    def presses(self, name: str) -> None:
        """Press a button of the Release: it is there, and the controller does as it says."""
        release, *_ = self._live()
        self._press(release, name)
        await_(lambda: name in self._taken(name_of(release)))

    def presses_retry(self) -> None:
        self._press(self._live()[1], "retry")

    def _press(self, body: Object, name: str) -> None:
        (said,) = judged([body], self._stage.folder)
        button = said["actions"][name]
        assert not button["disabled"], body
        send(self._server, self._stage.namespace, body, button["writes"][0]["patch"])

    def _taken(self, release: str) -> list[str]:
        status = next(r.status for r in releases(self._stage) if r.metadata.name == release)
        return [str(one.type) for one in status.actions if one.accepted]

    def _live(self) -> list[Object]:
        self._stage.catch_up()
        name = releases(self._stage)[-1].metadata.name
        asked = ((Kind.RELEASE, name), (Kind.ROLLOUT, "web"), (Kind.DEPLOYMENT, "web"))
        return [self._stage.cluster.get(kind, self._stage.namespace, one) for kind, one in asked]


def judged(objects: list[Object], folder: Path) -> list[dict[str, Any]]:
    """What Argo CD shows of objects, and what it sends for each button."""
    said = answers(ARGO_CD, ["judge", "-config-map", str(config_map(folder))], objects)
    assert [one["error"] for one in said if one.get("error")] == []
    return said


def send(server: HttpCluster, namespace: str, body: Object, patch: Object) -> None:
    """Send what Argo CD's server sends for a button of an object."""
    kind, name = KINDS[body["kind"]], name_of(body)
    server.apply(Patch(kind, namespace, name, PatchType.MERGE, patch))


def await_right(plane: Access, verb: str, namespace: str) -> None:
    """Wait until the server heeds a right that was just given."""
    asked = ("auth", "can-i", verb, "releases.rollout.dev", f"--as={ACCOUNT}")
    await_(lambda: plane.kubectl(*asked, namespace=namespace, check=False).returncode == 0)
