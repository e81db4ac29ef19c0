"""Kubernetes Events that tell a release's story where people look first: `kubectl describe`.

Telling must never disturb deciding. So `record` only puts a value on a bounded queue, and a
thread of its own writes. Failures are tried again a few times, then counted and given up.
"""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import Final

import structlog

from rollout.kube.cluster import RemoteCluster
from rollout.kube.errors import (
    AlreadyExists,
    ClusterError,
    NotFound,
    ServerFault,
    TooManyRequests,
    Unreachable,
)
from rollout.kube.series import Aggregator, EventLevel, Limits, Told, reference
from rollout.resources.writes import Object, Patch, Write

__all__ = ["Delivery", "EventLevel", "Limits", "Recorder"]

log = structlog.get_logger(__name__)

TRANSIENT: Final = (Unreachable, ServerFault, TooManyRequests)
JOIN_SECONDS: Final = 0.05


@dataclass(frozen=True)
class Delivery:
    """How hard it is tried to write.

    `queued` Events wait at most. Each write is bounded to `call_seconds`, and tried `tries`
    times, `retry_seconds` apart.
    """

    queued: int = 1000
    call_seconds: float = 5.0
    tries: int = 4
    retry_seconds: float = 2.0


class Recorder:
    """Writes Events on a thread of its own; nothing it does raises.

    `instance` names this process. `written`, `failed` and `dropped` (the queue was full, or one
    object had too many) count since the start.
    """

    def __init__(
        self,
        cluster: RemoteCluster,
        instance: str,
        *,
        limits: Limits | None = None,
        delivery: Delivery | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.written = 0
        self.failed = 0
        self.dropped = 0
        self._delivery = delivery or Delivery()
        self._cluster = cluster.within(self._delivery.call_seconds)
        self._series = Aggregator(instance, limits or Limits())
        self._clock = clock
        self._queue: queue.Queue[Told | None] = queue.Queue(self._delivery.queued)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def record(
        self,
        regarding: Object,
        reason: str,
        note: str,
        *,
        level: EventLevel = EventLevel.NORMAL,
        action: str = "Release",
        related: Object | None = None,
    ) -> None:
        """Tell about an object; returns at once.

        `reason` is one precise word in CamelCase, `note` a sentence of up to 1 kB.
        """
        other = reference(related) if related else None
        at = datetime.now(UTC)
        told = Told(reference(regarding), reason, note, level, action, other, at)
        try:
            self._queue.put_nowait(told)
        except queue.Full:
            self._drop(told, "the queue is full")

    def start(self) -> None:
        """Begin to write; returns at once."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Write what waits, for so many seconds at most, and join."""
        deadline = time.monotonic() + timeout
        self._stopping.set()
        if self._thread.ident is None:
            return
        self._wake()
        self._thread.join(timeout)
        self._given_up.set()
        while self._thread.is_alive() and time.monotonic() < deadline + 1:
            self._cluster.interrupt(self._thread.ident)
            self._thread.join(JOIN_SECONDS)

    def _wake(self) -> None:
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            return  # then it is not asleep

    def _run(self) -> None:
        while not self._given_up.is_set():
            over = self._stopping.is_set() and self._queue.empty()
            try:
                self._step(inf if over else self._clock())
            except Exception:
                self.failed += 1
                log.exception("an event could not be made")
            if over:
                return

    def _step(self, at: float) -> None:
        """Take one Event, then write the repeats that are due (at=inf: all that wait)."""
        told = None if at == inf else self._next()
        if told is not None:
            self._take(told)
        for write in self._series.due(at):
            self._write(write)

    def _next(self) -> Told | None:
        try:
            return self._queue.get(timeout=1.0)
        except queue.Empty:
            return None

    def _take(self, told: Told) -> None:
        write = self._series.take(told, self._clock())
        if write is not None:
            self._write(write)
        elif not self._series.is_known(told):
            self._drop(told, "too many about one object")

    def _write(self, write: Write) -> None:
        told = self._series.told_by(write)
        try:
            self._deliver(write)
        except ClusterError as error:
            if told is not None:
                self._series.forget(told)
            if told is not None and isinstance(write, Patch) and isinstance(error, NotFound):
                self._take(told)  # the server drops Events after an hour: tell it anew
                return
            self.failed += 1
            log.warning("an event could not be written", why=str(error))
        else:
            self.written += 1

    def _deliver(self, write: Write) -> None:
        for left in reversed(range(self._delivery.tries)):
            try:
                self._cluster.apply(write)
            except AlreadyExists:
                return  # an earlier try was carried out and its answer lost: names are random
            except TRANSIENT:
                if not left or self._stopping.wait(self._delivery.retry_seconds):
                    raise
            else:
                return

    def _drop(self, told: Told, why: str) -> None:
        with self._lock:
            self.dropped += 1
            count = self.dropped
        if count & (count - 1) == 0:  # at 1, 2, 4, 8...: a storm of Events is no storm of logs
            log.warning("events were dropped", why=why, count=count, last=told.reason)
