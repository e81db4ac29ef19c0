"""What happens in the cluster without being asked: control loops after writes and on deadlines."""

import asyncio
from typing import Final

import structlog

from rollout.simulate.cluster import SimulatedCluster
from rollout.simulate.controllers.manager import ControlLoopError, NeverSettlesError

LONGEST_REST: Final = 5.0
"""Seconds after which the loops look around also when nothing told them to."""
SHORTEST_REST: Final = 0.002
"""Seconds that writes are given to come together before the loops run."""

_log = structlog.get_logger(__name__)


class Heart:
    """Settles the cluster after writes and when time has come, and wakes the watches."""

    def __init__(self, cluster: SimulatedCluster) -> None:
        self._cluster = cluster
        self._written = asyncio.Event()
        self._beat = asyncio.Event()
        self._version = cluster.registry.store.version

    def written(self) -> None:
        """Tell that something was written: watches see it now, the loops soon."""
        self._wake()
        self._written.set()

    def disturb(self) -> None:
        """Wake all watches, though nothing was written."""
        self._beat.set()
        self._beat = asyncio.Event()

    async def changed(self, seconds: float) -> None:
        """Return when something may have changed, at the latest after so many seconds."""
        beat = self._beat
        try:
            await asyncio.wait_for(beat.wait(), seconds)
        except TimeoutError:
            return

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            try:
                await asyncio.wait_for(self._written.wait(), self._rest())
            except TimeoutError:
                pass
            else:
                await asyncio.sleep(SHORTEST_REST)
            self._written.clear()
            self.settle()
            self._wake()

    def settle(self) -> None:
        """Run the control loops now."""
        try:
            self._cluster.settle()
        except (ControlLoopError, NeverSettlesError):
            _log.exception("a control loop does not get on")

    def _rest(self) -> float:
        due = self._cluster.next_due()
        if due is None:
            return LONGEST_REST
        now = self._cluster.registry.clock()
        return min(max((due - now).total_seconds(), SHORTEST_REST), LONGEST_REST)

    def _wake(self) -> None:
        version = self._cluster.registry.store.version
        if version != self._version:
            self._version = version
            self.disturb()
