"""A cluster with something in the way of its writes: faults by wrapping, not by patching."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Self

from rollout.kube.cluster import ObjectList, RemoteCluster, WatchEvent
from rollout.resources.writes import Kind, Object, Write


@dataclass
class Wrapped:
    """A cluster whose writes do something more, before they are sent or after."""

    cluster: RemoteCluster
    before: Callable[[], object] = lambda: None
    after: Callable[[], object] = lambda: None

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        return self.cluster.get(kind, namespace, name)

    def list(
        self, kind: Kind, namespace: str | None = None, label_selector: str = ""
    ) -> ObjectList:
        return self.cluster.list(kind, namespace, label_selector)

    def apply(self, write: Write) -> Object:
        self.before()
        answer = self.cluster.apply(write)
        self.after()
        return answer

    def watch(
        self,
        kind: Kind,
        namespace: str | None,
        resource_version: str,
        timeout_seconds: int,
        *,
        name: str | None = None,
    ) -> Generator[WatchEvent]:
        return self.cluster.watch(kind, namespace, resource_version, timeout_seconds, name=name)

    def within(self, _seconds: float) -> Self:
        return self

    def interrupt(self, thread_id: int) -> None:
        self.cluster.interrupt(thread_id)
