"""What the API is given by the daemon: a view of the caches, and the cluster for changes.

`controller/` and `server/` stand side by side and do not know each other; they meet in the
cluster, and in these protocols.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self

from rollout.kube.cluster import Cluster
from rollout.resources.writes import Kind, Object


class View(Protocol):
    """What is known of the cluster without asking it."""

    @property
    def synced(self) -> bool:
        """Whether everything has been read once."""

    def list(self, kind: Kind, namespace: str | None) -> tuple[Object, ...]:
        """Give the latest known state of all objects of a namespace (None: of all)."""

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Give the latest known state of an object, None when there is none."""

    def updated(self, answer: Object) -> None:
        """Show the answer of an own write at once."""


class BoundedCluster(Cluster, Protocol):
    """A cluster whose calls can be bounded in time."""

    def within(self, seconds: float) -> Self:
        """The same cluster with another bound on each call, in seconds."""


@dataclass(frozen=True)
class Parts:
    """What the API works with. `namespace` None: it serves all namespaces."""

    cluster: BoundedCluster
    view: View
    namespace: str | None
    now: Callable[[], datetime]
