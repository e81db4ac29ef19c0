"""A thread that keeps a cache of one kind true: list, then watch, for ever.

The client library ships an informer; behind a server that drops watches it sent 1,365 of them
in two seconds, and on a half-open connection it waited for ever. The rules here:

- Only a watch that lived its full time is followed by another from where it ended. After
  anything else (an error, an early end, a forgotten version) everything is listed again: a list
  heals every kind of doubt, also a server that came back with an older state.
- Whatever is not a full-time watch is a failure, and failures wait: longer each time, with
  jitter, and as long as the server asks.
- A watch is short (a minute) and bounded as a whole, so that a connection that died without a
  word, or is kept open with nothing in it, is noticed in about that time.
"""

import math
import random
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import structlog

from rollout.kube.cache import Cache, Change
from rollout.kube.cluster import RemoteCluster
from rollout.kube.errors import ClusterError, Gone, NotFound, Refused
from rollout.resources.writes import Kind, Object

log = structlog.get_logger(__name__)

WATCH_SECONDS: Final = 60
FULL_LIFE: Final = 0.8
"""The part of its time that a watch must have lived to count as ended by the clock."""

HEALTHY_SECONDS: Final = 5.0
"""A watch that lived so long ends a row of failures."""

SETTLED_SECONDS: Final = 1.0
"""How long a watch must be open before earlier trouble counts as over."""

LONGEST_ASKED_WAIT: Final = 60.0
JOIN_SECONDS: Final = 0.05


@dataclass(frozen=True)
class BackOff:
    """Waits between failures, in seconds: `first`, then doubled up to `longest`.

    Each wait is stretched or shortened by up to half, so that clients do not march in step.
    """

    first: float = 0.5
    longest: float = 15.0

    def wait(self, failures: int) -> float:
        """Give the wait after so many failures in a row (0: none)."""
        if failures == 0:
            return 0.0
        doubled = self.first * 2.0 ** min(failures - 1, 32)
        return min(doubled, self.longest) * random.uniform(0.5, 1.5)  # noqa: S311 - jitter


class Ended(ClusterError):  # noqa: N818 - a watch's end, met as if it were refused
    """A watch ended before its time, without an error."""


class Reflector:
    """Objects of one kind in one namespace (None: all), kept true by a thread.

    `on_change` is called on that thread, for one change after another. `synced` is set by the
    first list.
    """

    def __init__(
        self,
        cluster: RemoteCluster,
        kind: Kind,
        namespace: str | None,
        on_change: Callable[[Change], None],
        *,
        back_off: BackOff | None = None,
        watch_seconds: int = WATCH_SECONDS,
    ) -> None:
        self.kind = kind
        self.synced = threading.Event()
        self._problem: str | None = None
        self._opened_at = math.inf
        self._cluster = cluster
        self._namespace = namespace
        self._on_change = on_change
        self._back_off = back_off or BackOff()
        self._watch_seconds = watch_seconds
        self._cache = Cache(kind)
        self._stopping = threading.Event()
        self._reported: str | None = None
        self._thread = threading.Thread(
            target=self._run, name=f"reflector-{kind.value.plural}", daemon=True
        )

    @property
    def problem(self) -> str | None:
        """Why the cache may be stale; None when it is being kept true, or nothing is known yet.

        A watch that was opened again must hold for a moment, or tell something, to end it.
        """
        held = time.monotonic() - self._opened_at > SETTLED_SECONDS
        return None if held else self._problem

    def start(self) -> None:
        """Begin to list and watch; returns at once."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Stop and join, breaking the read that may be going on (seconds at most)."""
        self._stopping.set()
        deadline = time.monotonic() + timeout
        while self._thread.is_alive() and time.monotonic() < deadline:
            self._cluster.interrupt(self._thread.ident or 0)
            self._thread.join(JOIN_SECONDS)

    def get(self, namespace: str, name: str) -> Object | None:
        """Give the latest known state of an object, None when there is none."""
        return self._cache.get(namespace, name)

    def list(self, namespace: str | None = None) -> tuple[Object, ...]:
        """Give the latest known state of all objects, by namespace and name."""
        return self._cache.list(namespace)

    def updated(self, answer: Object) -> None:
        """Show the answer of an own write at once; the watch tells it a moment later."""
        if self._namespace in (None, answer.get("metadata", {}).get("namespace")):
            self._cache.updated(answer)

    def deleted(self, namespace: str, name: str, uid: str) -> None:
        """Hide at once what we have deleted; the watch tells it a moment later."""
        self._cache.deleted(namespace, name, uid)

    def _run(self) -> None:
        failures, position = 0, ""
        while not self._stopping.is_set():
            began, error = time.monotonic(), None
            try:
                position = self._round(position)
            except Exception as caught:  # noqa: BLE001 - the thread must outlive everything
                error, position = caught, ""
            if time.monotonic() - began >= HEALTHY_SECONDS:
                failures, self._reported = 0, None
            failures = failures + 1 if error else 0
            if error and not self._stopping.is_set():
                self._report(error)
            self._stopping.wait(max(self._back_off.wait(failures), _asked_wait(error)))

    def _round(self, position: str) -> str:
        """One watch from a position (""): list first); gives the position to go on from."""
        if not position:
            position = self._list()
        began = time.monotonic()
        events = self._cluster.watch(self.kind, self._namespace, position, self._watch_seconds)
        self._opened_at = began
        with closing(events):
            for event in events:
                self._notify(self._cache.follow(event))
                self._problem = None
                if self._stopping.is_set():
                    break
        if time.monotonic() - began < FULL_LIFE * self._watch_seconds:
            raise Ended("the watch was ended before its time")
        return self._cache.position

    def _list(self) -> str:
        self._cache.begin_list()
        listed = self._cluster.list(self.kind, self._namespace)
        for change in self._cache.replace(listed):
            self._notify(change)
        self.synced.set()
        return listed.resource_version

    def _notify(self, change: Change | None) -> None:
        if change is None:
            return
        try:
            self._on_change(change)
        except Exception:
            log.exception("a change could not be handed on", kind=self.kind.value.kind)

    def _report(self, error: Exception) -> None:
        """Keep the problem for whoever asks, and log it once for as long as it lasts."""
        why = self._problem = self._words(error)
        self._opened_at = math.inf
        if isinstance(error, Gone) or why == self._reported:
            return  # a forgotten version is everyday life: the list that follows heals it
        self._reported = why
        unknown = not isinstance(error, ClusterError)
        log.warning("cannot follow", kind=self.kind.value.kind, why=why, exc_info=unknown)

    def _words(self, error: Exception) -> str:
        if isinstance(error, NotFound) and error.kind_is_missing:
            place = self.kind.value
            return (
                f"the API server does not know {place.plural} of {place.api_version}: install "
                "the custom resources (`rollout crds | kubectl apply -f -`)"
            )
        return str(error)


def _asked_wait(error: Exception | None) -> float:
    asked = error.retry_after if isinstance(error, Refused) else None
    return min(asked or 0.0, LONGEST_ASKED_WAIT)
