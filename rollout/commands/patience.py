"""How long a cluster that cannot be reached is asked again, by what goes on for long."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from rollout.kube.cluster import Cluster, ObjectList
from rollout.kube.errors import ClusterError, ServerFault, TooManyRequests, Unreachable
from rollout.resources.writes import Kind, Object, Write

T = TypeVar("T")
EVERY: Final = 0.5
PATIENCE: Final = 30.0
"""Seconds."""
PASSING: Final = (Unreachable, ServerFault, TooManyRequests)
"""What may pass by itself: a cluster that is away, is being upgraded, or has too much to do."""


@dataclass
class Patience:
    """Bears that the cluster is away, until it has been for too long."""

    seconds: float = PATIENCE
    clock: Callable[[], float] = time.monotonic
    _away: float | None = None

    def heard(self) -> None:
        """Learn that it has answered."""
        self._away = None

    def bear(self, error: ClusterError) -> None:
        """Pass when it may be asked again. Raises the error when it has been away for too long."""
        now = self.clock()
        self._away = now if self._away is None else self._away
        if now - self._away > self.seconds:
            raise error


@dataclass(frozen=True)
class PatientCluster:
    """A cluster that is asked again while it is away: for what may be asked, and done, twice."""

    cluster: Cluster
    seconds: float = PATIENCE

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Read one object; raises NotFound."""
        return self._patiently(lambda: self.cluster.get(kind, namespace, name))

    def list(
        self, kind: Kind, namespace: str | None = None, label_selector: str = ""
    ) -> ObjectList:
        """Read all objects of a kind, in one namespace or (None) in all."""
        return self._patiently(lambda: self.cluster.list(kind, namespace, label_selector))

    def apply(self, write: Write) -> Object:
        """Carry out one write. One whose answer was lost is sent again, as it was."""
        return self._patiently(lambda: self.cluster.apply(write))

    def _patiently(self, ask: Callable[[], T]) -> T:
        patience = Patience(self.seconds)
        while True:
            try:
                return ask()
            except PASSING as error:
                patience.bear(error)
            time.sleep(EVERY)
