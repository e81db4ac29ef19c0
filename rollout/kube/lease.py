"""The threads around a `Candidate`: one tries for the Lease, one heeds it, one tells how it stands.

A try may hang as long as its bound allows, so telling is a thread of its own: it wakes by the
clock, and `on_stopped` comes when leadership ends and not when a call returns. And tries are
seconds apart, so heeding is one: it watches the Lease of another, and when that is given back,
the next try comes at once. Where a Lease may not be watched, tries alone must do.
"""

import socket
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from typing import Final

import structlog

from rollout.kube.candidate import Candidate, Durations
from rollout.kube.cluster import EventType, RemoteCluster, WatchEvent
from rollout.kube.errors import ClusterError, Conflict
from rollout.kube.reflector import BackOff
from rollout.resources.writes import Kind

__all__ = ["Durations", "Elector", "unique_identity"]

log = structlog.get_logger(__name__)

JOIN_SECONDS: Final = 0.05
WATCH_SECONDS: Final = 60
LONGEST_UNHEEDED: Final = 600.0
"""Seconds between two watches that fail: tries go on meanwhile."""


def unique_identity() -> str:
    """Name this process as no other: two processes of one name would both lead."""
    return f"{socket.gethostname()}_{uuid.uuid4().hex[:12]}"


def _nothing() -> None:
    """Do nothing."""


class Elector:
    """Leadership of one process.

    `on_started` and `on_stopped` are called in turn, on a thread of the elector's own. A slow
    or failing callback delays only the next one: `is_leader` and `valid_for` are always right.
    """

    def __init__(
        self,
        cluster: RemoteCluster,
        namespace: str,
        name: str,
        identity: str | None = None,
        durations: Durations | None = None,
        *,
        on_started: Callable[[], None] = _nothing,
        on_stopped: Callable[[], None] = _nothing,
    ) -> None:
        self.identity = identity or unique_identity()
        self.durations = durations or Durations()
        self.problem: str | None = None
        self._cluster = cluster
        self._place = (namespace, name)
        self._lease = f"{namespace}/{name}"
        self._candidate = Candidate(cluster, namespace, name, self.identity, self.durations)
        self._on_started = on_started
        self._on_stopped = on_stopped
        self._stopping = threading.Event()
        self._moved = threading.Event()
        self._free = threading.Event()
        self._tries = threading.Thread(target=self._try, name="lease", daemon=True)
        self._heeds = threading.Thread(target=self._heed, name="lease-heeded", daemon=True)
        self._tells = threading.Thread(target=self._tell, name="lease-told", daemon=True)

    @property
    def holder(self) -> str:
        """Who holds the Lease, as far as this process has seen; "" for nobody."""
        record = self._candidate.record
        return record.holder if record else ""

    @property
    def epoch(self) -> str:
        """Which leadership this is, while this process leads; see `Candidate.epoch`."""
        return self._candidate.epoch

    def is_leader(self) -> bool:
        """Whether this process may write now."""
        return self._candidate.term() > 0

    def valid_for(self) -> float:
        """Seconds of leadership left, 0 when not leading: the bound for a write begun now."""
        return self._candidate.valid_for()

    def start(self) -> None:
        """Begin to try; returns at once."""
        self._tries.start()
        self._heeds.start()
        self._tells.start()

    def stop(self, timeout: float = 5.0, *, release: bool = True) -> None:
        """Stop leading now, call `on_stopped`, then give the Lease back (seconds at most).

        The Lease is kept to its end when `on_stopped` has not returned by then, and without
        `release`: what was to stop may still be at work.
        """
        deadline = time.monotonic() + timeout
        self._candidate.retire()
        self._stopping.set()
        self._moved.set()
        self._free.set()
        self._break_off(self._tries, deadline)
        self._break_off(self._heeds, deadline)
        if self._tells.ident is not None:
            self._tells.join(max(0.0, deadline - time.monotonic()))
        if release and not (self._tries.is_alive() or self._tells.is_alive()):
            self._release(max(0.2, deadline - time.monotonic()))

    def _break_off(self, thread: threading.Thread, deadline: float) -> None:
        while thread.is_alive() and time.monotonic() < deadline:
            self._cluster.interrupt(thread.ident or 0)
            thread.join(JOIN_SECONDS)

    def _release(self, seconds: float) -> None:
        if self.holder != self.identity:
            return
        try:
            self._candidate.release(seconds)
        except ClusterError as error:
            log.warning("the lease could not be given back", lease=self._lease, why=str(error))

    def _try(self) -> None:
        while not self._stopping.is_set():
            try:
                self._candidate.attempt()
            except Conflict:
                self.problem = None  # another one was faster; the next try reads who
            except Exception as error:  # noqa: BLE001 - whatever happens is a failed try
                self._report(error)
            else:
                self.problem = None
            self._moved.set()
            self._free.wait(self.durations.retry)
            self._free.clear()

    def _heed(self) -> None:
        failures, back_off = 0, BackOff(self.durations.retry, LONGEST_UNHEEDED)
        while not self._stopping.is_set():
            record = self._candidate.record
            if record is not None and not self.is_leader():
                try:
                    self._follow(record.version)
                    failures = 0
                except Exception as error:  # noqa: BLE001 - tries go on without
                    failures += 1
                    self._tell_unheeded(failures, error)
            self._stopping.wait(max(self.durations.retry, back_off.wait(failures)))

    def _follow(self, version: str) -> None:
        namespace, name = self._place
        watched = self._cluster.watch(Kind.LEASE, namespace, version, WATCH_SECONDS, name=name)
        with closing(watched):
            for event in watched:
                if self.is_leader() or self._stopping.is_set():
                    return
                if _is_free(event):
                    self._free.set()

    def _tell_unheeded(self, failures: int, error: Exception) -> None:
        if failures == 1 and not self._stopping.is_set():
            log.info("the lease cannot be watched: tries must do", why=str(error))

    def _report(self, error: Exception) -> None:
        if self._stopping.is_set():
            return  # the stop breaks the call that is going on
        problem = str(error)
        if problem != self.problem:
            known = isinstance(error, ClusterError)
            log.warning("no lease", lease=self._lease, why=problem, exc_info=not known)
        self.problem = problem

    def _tell(self) -> None:
        told = 0
        while told or not self._stopping.is_set():
            term = self._candidate.term()
            if told not in (0, term):
                told = 0
                self._call(self._on_stopped, "stopped leading")
            elif term and not told:
                told = term
                self._call(self._on_started, "started leading")
            else:
                self._moved.wait(self._candidate.valid_for() if told else None)
                self._moved.clear()

    def _call(self, callback: Callable[[], None], what: str) -> None:
        log.info(what, lease=self._lease, identity=self.identity)
        try:
            callback()
        except Exception:
            log.exception("a callback of the elector failed", after=what)


def _is_free(event: WatchEvent) -> bool:
    """Whether an event says that nobody holds the Lease any more."""
    spec = event.object.get("spec") or {}
    given_back = event.type is EventType.MODIFIED and not spec.get("holderIdentity")
    return given_back or event.type is EventType.DELETED
