"""Follows pods for a Prometheus that cannot discover them itself."""

from collections.abc import Callable, Iterable
from threading import Event, Thread
from types import TracebackType
from typing import Final, Self

from rollout.metrics.addresses import AddressMap
from rollout.resources.writes import Object
from tests.prometheus.config import pod_targets
from tests.prometheus.server import Prometheus

PERIOD: Final = 0.5
STOP_TIMEOUT: Final = 10.0


class PodFollower:
    """Lists pods twice a second and makes them targets, as a context.

    When listing fails the targets stay as they were, as with a cluster's own Prometheus, and the
    failure is kept in `problem`.
    """

    def __init__(
        self, server: Prometheus, pods: Callable[[], Iterable[Object]], addresses: AddressMap
    ) -> None:
        self.problem: Exception | None = None
        self._server, self._pods, self._addresses = server, pods, addresses
        self._ended = Event()
        self._thread = Thread(target=self._run, name="pod-follower", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join(STOP_TIMEOUT)

    def _run(self) -> None:
        while not self._ended.wait(PERIOD):
            try:
                self._server.set_targets(pod_targets(self._pods(), self._addresses))
            except Exception as problem:  # noqa: BLE001 - a thread's loop goes on
                self.problem = problem
