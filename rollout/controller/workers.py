"""Threads that take keys from the queue and carry out passes, one key at a time each.

After something was done the key comes back at once, because the world has changed. A row of
passes that keep writing without an end is a fight with somebody else: it is slowed down. One
worker more than asked for is there for what is urgent alone: a rollback never finds all busy.
"""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from rollout.controller.clock import Clock
from rollout.controller.metrics import Metrics
from rollout.controller.queue import CONTESTS, ERRORS, Failures, Key, Lane, WorkQueue
from rollout.controller.reconcile import Result
from rollout.controller.writer import LeaseLostError
from rollout.kube.errors import Refused
from rollout.kube.reflector import BackOff

log = structlog.get_logger(__name__)

BUSY_PASSES: Final = 40
"""Passes in a row that write; a whole phase needs a handful."""

FIGHTS: Final = BackOff(first=1.0, longest=15.0)
STUCK_SECONDS: Final = 180.0
"""A pass has at most some dozens of writes of at most ten seconds; most take milliseconds."""


class Passes(Protocol):
    """What carries out a pass."""

    def reconcile(self, key: Key) -> Result:
        """Carry out one pass. Raises LeaseLostError."""


class Workers:
    """The threads."""

    def __init__(
        self,
        count: int,
        passes: Passes,
        queue: WorkQueue,
        clock: Clock,
        *,
        metrics: Metrics,
        now: Callable[[], datetime],
    ) -> None:
        self._passes = passes
        self._queue = queue
        self._clock = clock
        self._metrics = metrics
        self._now = now
        self._errors = Failures(ERRORS)
        self._contests = Failures(CONTESTS)
        self._fights = Failures(FIGHTS)
        self._row: dict[Key, int] = {}
        self._began: dict[str, float] = {}
        self._threads = [
            threading.Thread(target=self._run, name=f"worker-{number}", daemon=True)
            for number in range(count)
        ]
        self._threads.append(
            threading.Thread(target=self._run, args=(True,), name="worker-urgent", daemon=True)
        )

    def start(self) -> None:
        """Begin to work; returns at once."""
        for thread in self._threads:
            thread.start()

    def join(self, timeout: float) -> bool:
        """Wait for the passes that go on, after the queue was stopped; whether all are over."""
        deadline = time.monotonic() + timeout
        started = [thread for thread in self._threads if thread.ident is not None]
        for thread in started:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in started)

    def problems(self) -> list[str]:
        """Say which threads are stuck or gone."""
        now = time.monotonic()
        found = [
            f"{name} has been in one pass for {now - began:.0f} s"
            for name, began in list(self._began.items())
            if now - began > STUCK_SECONDS
        ]
        started = [thread for thread in self._threads if thread.ident is not None]
        return found + [f"{t.name} has ended" for t in started if not t.is_alive()]

    def _run(self, urgent_only: bool = False) -> None:  # noqa: FBT001, FBT002 - of a thread
        while (key := self._queue.take(urgent_only=urgent_only)) is not None:
            try:
                self._work(key)
            except LeaseLostError:
                log.warning("stopped in the middle of a pass: this process does not lead any more")
                return
            except Exception:
                self._metrics.errors.labels("Exception", "worker").inc()
                log.exception("a worker failed", rollout=str(key))
                self._later(key, self._errors.failed(key))
            finally:
                self._queue.done(key)

    def _work(self, key: Key) -> None:
        name = threading.current_thread().name
        self._began[name] = time.monotonic()
        try:
            with self._metrics.pass_seconds.time():
                result = self._passes.reconcile(key)
        finally:
            self._began.pop(name, None)
        self._follow_up(key, result)

    def _follow_up(self, key: Key, result: Result) -> None:
        """Say when the key is looked at next."""
        if result.error is not None:
            self._metrics.passes.labels("failed").inc()
            self._later(key, max(self._errors.failed(key), _asked(result.error)))
            return
        self._errors.forget(key)
        if result.contested:
            self._metrics.passes.labels("contested").inc()
            self._later(key, self._contests.failed(key))
            return
        self._contests.forget(key)
        self._metrics.passes.labels("written" if result.written else "idle").inc()
        if result.written:
            self._again(key, Lane.BACK if result.back else Lane.ORDINARY)
            return
        self._row.pop(key, None)
        self._fights.forget(key)
        if result.look_again is None:
            self._clock.cancel(key)
        else:
            self._clock.wake(key, result.look_again)

    def _again(self, key: Key, lane: Lane) -> None:
        self._row[key] = self._row.get(key, 0) + 1
        if self._row[key] <= BUSY_PASSES:
            self._queue.add(key, lane)
            return
        wait = self._fights.failed(key)
        log.warning("something is written again and again", rollout=str(key), waits=round(wait, 1))
        self._later(key, wait)

    def _later(self, key: Key, seconds: float) -> None:
        self._clock.wake(key, self._now() + timedelta(seconds=seconds))


def _asked(error: Exception) -> float:
    """The wait that the server asks for, in seconds."""
    return (error.retry_after or 0.0) if isinstance(error, Refused) else 0.0
