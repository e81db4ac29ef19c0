"""What the rest of the product may ask of a cluster, and the values it gets back.

Few verbs on purpose: everything that can be read, and every write as a value. So one contract
test holds the real client, the practice cluster and the simulated one to the same behaviour,
and faults are tested by wrapping a cluster, not by patching modules.
"""

from collections.abc import Generator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, Self

from rollout.resources.writes import Kind, Object, Write


@dataclass(frozen=True)
class ObjectList:
    """All objects of a kind at one moment; `resource_version` is where to watch on from.

    Each item carries `apiVersion` and `kind`, though the server leaves them out in lists.
    """

    items: tuple[Object, ...]
    resource_version: str


class EventType(Enum):
    """What a watch event tells. A bookmark carries only a resourceVersion."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"


@dataclass(frozen=True)
class WatchEvent:
    """One line of a watch. Error lines are raised as errors, never given out."""

    type: EventType
    object: Object


class Cluster(Protocol):
    """Reads and writes of Kubernetes objects. Every call ends in bounded time.

    Raises only `rollout.kube.errors.ClusterError`. Cluster-wide kinds ignore `namespace`.
    """

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Read one object; raises NotFound."""
        ...

    def list(
        self, kind: Kind, namespace: str | None = None, label_selector: str = ""
    ) -> ObjectList:
        """Read all objects of a kind, in one namespace or (None) in all."""
        ...

    def apply(self, write: Write) -> Object:
        """Carry out one write; gives the object after it, for Delete the server's last answer.

        Raises AlreadyExists, NotFound, Conflict, Invalid or another ClusterError.
        """
        ...


class RemoteCluster(Cluster, Protocol):
    """A cluster behind a wire: it can be followed, bounded in time, and interrupted."""

    def watch(
        self,
        kind: Kind,
        namespace: str | None,
        resource_version: str,
        timeout_seconds: int,
        *,
        name: str | None = None,
    ) -> Generator[WatchEvent]:
        """Follow all changes after `resource_version`; ends by itself after the timeout.

        With `name`, only those of one object.

        Returns when the watch is accepted. Raises Gone when that version is no longer kept. Close
        one that is left before its end.
        """
        ...

    def within(self, seconds: float) -> Self:
        """The same cluster with another bound on each call, in seconds."""
        ...

    def interrupt(self, thread_id: int) -> None:
        """Break the call that a thread is waiting on; it raises Unreachable there."""
        ...
