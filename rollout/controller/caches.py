"""The reflected kinds, and what one pass reads of them: no request leaves here."""

from collections.abc import Callable
from typing import Final

from rollout.analysis.verdict import ReleaseVerdict
from rollout.kube.cache import Change
from rollout.kube.cluster import RemoteCluster
from rollout.kube.reflector import Reflector
from rollout.resources.writes import BY_KIND_NAME, Kind, Object
from rollout.translation.objects import Objects

NEEDED: Final = (
    Kind.ROLLOUT,
    Kind.RELEASE,
    Kind.ROLLOUT_POLICY,
    Kind.DEPLOYMENT,
    Kind.REPLICA_SET,
    Kind.POD,
    Kind.SERVICE,
    Kind.INGRESS,
)
OPTIONAL: Final = (Kind.INGRESS_CLASS, Kind.HORIZONTAL_POD_AUTOSCALER)
"""Kinds that may be forbidden: without them the names of classes must do, and no base is fixed."""


class Caches:
    """One reflector per kind."""

    def __init__(
        self, cluster: RemoteCluster, namespace: str | None, on_change: Callable[[Change], None]
    ) -> None:
        self._reflectors = {
            kind: Reflector(cluster, kind, namespace if kind.value.namespaced else None, on_change)
            for kind in (*NEEDED, *OPTIONAL)
        }

    def start(self) -> None:
        """Begin to reflect."""
        for reflector in self._reflectors.values():
            reflector.start()

    def stop(self) -> None:
        """Stop all reflectors."""
        for reflector in self._reflectors.values():
            reflector.stop()

    @property
    def synced(self) -> bool:
        """Whether every needed kind has been listed."""
        return all(self._reflectors[kind].synced.is_set() for kind in NEEDED)

    def problems(self) -> list[str]:
        """Say which kinds cannot be followed, and why."""
        found = ((kind, self._reflectors[kind].problem) for kind in NEEDED)
        return [f"{kind.value.plural}: {problem}" for kind, problem in found if problem]

    def list(self, kind: Kind, namespace: str | None = None) -> tuple[Object, ...]:
        """Return the known objects of a kind."""
        return self._reflectors[kind].list(namespace)

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Return an object as it is known."""
        return self._reflectors[kind].get(namespace, name)

    def updated(self, answer: Object) -> None:
        """Show the answer of an own write at once."""
        kind = BY_KIND_NAME.get(str(answer.get("kind", "")))
        if kind in self._reflectors and "resourceVersion" in answer.get("metadata", {}):
            self._reflectors[kind].updated(answer)

    def objects(
        self,
        release: Object,
        *,
        verdict: ReleaseVerdict | None,
    ) -> Objects:
        """Return all that one pass over a release looks at."""
        space = str(release["metadata"]["namespace"])
        classes = self._reflectors[Kind.INGRESS_CLASS]
        return Objects(
            release=release,
            rollout=self.get(Kind.ROLLOUT, space, str(release["spec"]["rollout"])),
            rollouts=self.list(Kind.ROLLOUT, space),
            releases=self.list(Kind.RELEASE, space),
            deployments=self.list(Kind.DEPLOYMENT, space),
            replica_sets=self.list(Kind.REPLICA_SET, space),
            pods=self.list(Kind.POD, space),
            services=self.list(Kind.SERVICE, space),
            ingresses=self.list(Kind.INGRESS, space),
            ingress_classes=classes.list() if classes.synced.is_set() else None,
            policies=self.list(Kind.ROLLOUT_POLICY, space),
            autoscalers=self.list(Kind.HORIZONTAL_POD_AUTOSCALER, space),
            verdict=verdict,
        )
