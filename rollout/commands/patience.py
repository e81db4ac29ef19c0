"""How long a cluster that cannot be reached is asked again, by what goes on for hours."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rollout.kube.errors import ClusterError, ServerFault, TooManyRequests, Unreachable

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
