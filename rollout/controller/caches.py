"""The reflected kinds as one view: what is read here costs no request."""

from collections.abc import Callable
from typing import Final

from rollout.kube.cache import Change
from rollout.kube.cluster import RemoteCluster
from rollout.kube.reflector import BackOff, Reflector
from rollout.resources.writes import BY_KIND_NAME, Delete, Kind, Object

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

SELDOM: Final = BackOff(first=1.0, longest=600.0)
"""Waits for a kind that may never be readable: asking must not become a load."""


class Caches:
    """One reflector per kind."""

    def __init__(
        self, cluster: RemoteCluster, namespace: str | None, on_change: Callable[[Change], None]
    ) -> None:
        def reflector(kind: Kind, back_off: BackOff | None = None) -> Reflector:
            space = namespace if kind.value.namespaced else None
            return Reflector(cluster, kind, space, on_change, back_off=back_off)

        self._reflectors = {kind: reflector(kind) for kind in NEEDED}
        self._reflectors |= {kind: reflector(kind, SELDOM) for kind in OPTIONAL}

    def start(self) -> None:
        """Begin to reflect; returns at once."""
        for reflector in self._reflectors.values():
            reflector.start()

    def stop(self) -> None:
        """Stop all reflectors."""
        for reflector in self._reflectors.values():
            reflector.stop()

    @property
    def synced(self) -> bool:
        """Whether every needed kind has been listed, and every other has had its chance."""
        needed = all(self._reflectors[kind].synced.is_set() for kind in NEEDED)
        return needed and all(self._answered(self._reflectors[kind]) for kind in OPTIONAL)

    def problems(self) -> list[str]:
        """Say which needed kinds cannot be followed, and why."""
        found = ((kind, self._reflectors[kind].problem) for kind in NEEDED)
        return [f"{kind.value.plural}: {problem}" for kind, problem in found if problem]

    def list(self, kind: Kind, namespace: str | None) -> tuple[Object, ...]:
        """Give the latest known state of all objects of a namespace (None: of all)."""
        return self._reflectors[kind].list(namespace)

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Give the latest known state of an object, None when there is none."""
        return self._reflectors[kind].get(namespace, name)

    def readable(self, kind: Kind) -> bool:
        """Whether objects of this kind could be read at all."""
        return self._reflectors[kind].synced.is_set()

    def updated(self, answer: Object) -> None:
        """Show the answer of an own write at once."""
        kind = BY_KIND_NAME.get(str(answer.get("kind", "")))
        if kind in self._reflectors and "resourceVersion" in answer.get("metadata", {}):
            self._reflectors[kind].updated(answer)

    def deleted(self, write: Delete) -> None:
        """Hide at once what we have deleted."""
        if write.kind in self._reflectors and write.uid is not None:
            self._reflectors[write.kind].deleted(write.namespace, write.name, write.uid)

    @staticmethod
    def _answered(reflector: Reflector) -> bool:
        return reflector.synced.is_set() or reflector.problem is not None
