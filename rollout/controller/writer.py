"""The one place where the controller writes, so that each write is fenced the same way (I7).

Leadership is asked for right before each write, and bounds it: a write that is begun can not be
under way when another controller may lead. The server's answer goes to the cache at once, so that
the next pass sees it without waiting for the watch.
"""

from typing import Final, Protocol, Self

from rollout.controller.metrics import Metrics
from rollout.controller.observe import View
from rollout.kube.cluster import Cluster
from rollout.kube.errors import ClusterError, NotFound
from rollout.resources.writes import Create, Delete, Object, Write

CALL_SECONDS: Final = 10.0


class LeaseLostError(Exception):
    """This process does not lead any more: nothing was sent."""


class Leadership(Protocol):
    """What tells whether this process may write."""

    def valid_for(self) -> float:
        """Seconds of leadership left; 0 when not leading."""


class BoundedCluster(Cluster, Protocol):
    """A cluster whose calls can be bounded in time."""

    def within(self, seconds: float) -> Self:
        """The same cluster with another bound on each call, in seconds."""


class Writer:
    """Carries out writes while this process leads."""

    def __init__(
        self, cluster: BoundedCluster, leadership: Leadership, view: View, metrics: Metrics
    ) -> None:
        self._cluster = cluster
        self._leadership = leadership
        self._view = view
        self._metrics = metrics

    def apply(self, write: Write) -> Object:
        """Carry out one write. Raises LeaseLostError, else what the cluster raises."""
        left = self._leadership.valid_for()
        if left <= 0:
            raise LeaseLostError("this process does not lead any more: nothing is written")
        try:
            answer = self._cluster.within(min(left, CALL_SECONDS)).apply(write)
        except ClusterError as error:
            self._count(write, type(error).__name__)
            if isinstance(write, Delete) and isinstance(error, NotFound):
                self._view.deleted(write)
            raise
        self._count(write, "done")
        waits = "deletionTimestamp" in (answer.get("metadata") or {})  # for finalizers
        if isinstance(write, Delete) and not waits:
            self._view.deleted(write)
        else:
            self._view.updated(answer)
        return answer

    def _count(self, write: Write, result: str) -> None:
        self._metrics.writes.labels(verb_of(write), write.kind.value.kind, result).inc()


def verb_of(write: Write) -> str:
    """Name what a write does."""
    match write:
        case Create():
            return "create"
        case Delete():
            return "delete"
        case _:
            return "patch"
