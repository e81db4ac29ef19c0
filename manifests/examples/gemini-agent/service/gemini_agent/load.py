"""How much comes to this pod, for the dial that has it break under full load."""

from collections import deque
from typing import Final

WINDOW: Final = 2.0
"""Seconds over which a load is averaged: a second of chance arrivals is no overload."""


class Load:
    """Requests a second on this pod, averaged over a short window."""

    def __init__(self, limit: float) -> None:
        """Begin with none. `limit`: requests a second that it can do."""
        self._limit = limit
        self._arrivals = deque[float]()

    def exceeded(self, now: float) -> bool:
        """Count an arrival at `now` (monotonic seconds), and say whether it is one too many."""
        self._arrivals.append(now)
        while self._arrivals[0] <= now - WINDOW:
            self._arrivals.popleft()
        return len(self._arrivals) > self._limit * WINDOW
