"""Readings on their own schedule: one thread for all releases that read the same provider.

Threads and queries grow with the number of different providers and intervals, not with the number
of releases: at each tick every release gets its slice of one reading. A reading between the ticks
is made for releases whose stage begins, and soon afterwards for those that begin meanwhile.

A provider may take as long as its timeout. That delays the next reading and nothing else.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from math import inf
from typing import Final, TypeAlias

import structlog

from rollout.analysis.counts import Failed, Outcome
from rollout.controller.follow import Follower, Senses, Turn
from rollout.metrics.provider import MetricsProvider
from rollout.metrics.query import by_hash
from rollout.resources.writes import Object

log = structlog.get_logger(__name__)

Pods: TypeAlias = dict[str, dict[str, list[Object]]]
"""Pods by namespace and hash, sorted once for a reading."""

GAP: Final = 0.25
"""Least time between two readings, in intervals: so many releases may begin a stage in one
interval, and there are never more than four readings in it."""


class Reader:
    """Reads for followers whose policies have one provider and one interval."""

    def __init__(self, first: Follower, senses: Senses) -> None:
        """Prepare it for the policy of the first that joins."""
        self._policy = first.policy
        self._senses = senses
        self._interval = first.policy.interval.total_seconds()
        self._gap = GAP * self._interval
        self._lock = threading.Lock()
        self._followers: list[Follower] = []
        self._provider: MetricsProvider | None = None
        self._changed = threading.Event()
        self._stopping = False
        self._tick = time.monotonic()
        self._last = -inf
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)

    def start(self) -> None:
        """Begin to read; returns at once."""
        self._thread.start()

    def join(self, follower: Follower) -> None:
        """Read for one more release."""
        with self._lock:
            self._followers.append(follower)
        self.wake()

    def leave(self, follower: Follower) -> bool:
        """Read no more for a release; tell whether nobody is left."""
        with self._lock:
            self._followers.remove(follower)
            return not self._followers

    def wake(self) -> None:
        """Look again when to read: somebody's stage is another now."""
        self._changed.set()

    def stop(self, timeout: float = 0.0) -> None:
        """Read no more, and wait for so many seconds at most for a reading that goes on."""
        self._stopping = True
        self._changed.set()
        if timeout > 0:
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._round()
        finally:
            if self._provider is not None:
                self._provider.close()

    def _round(self) -> None:
        """Wait and read; a mistake of ours costs one reading, and not all that would follow."""
        try:
            if self._wait_until(self._next()):
                self._read(self._due(time.monotonic()))
        except Exception:
            log.exception("a reading failed", provider=self._policy.provider.kind)
            now = time.monotonic()
            self._tick = now + self._interval
            self._wait_until(now + self._gap)  # what failed may be the question when to read next

    def _all(self) -> list[Follower]:
        with self._lock:
            return list(self._followers)

    def _next(self) -> float:
        """When to read next, on the steady clock."""
        own = [wanted for one in self._all() if (wanted := one.wanted()) is not None]
        return min(self._tick, max(min(own, default=inf), self._last + self._gap))

    def _wait_until(self, moment: float) -> bool:
        """Whether the moment has come; False when something changed before it."""
        changed = self._changed.wait(max(0.0, moment - time.monotonic()))
        self._changed.clear()
        return not (changed or self._stopping)

    def _due(self, now: float) -> list[Follower]:
        """Say for whom to read now: at a tick for all but those that have just been read."""
        if now < self._tick:
            due = [one for one in self._all() if (at := one.wanted()) is not None and at <= now]
        else:
            self._tick = now + self._interval
            due = [one for one in self._all() if now - (one.read_at or -inf) >= self._gap]
        for one in due:
            self._last = one.read_at = now
        return due

    def _read(self, due: Sequence[Follower]) -> None:
        """One reading for some of the followers; with none there is nothing to ask."""
        pods: Pods = {}
        turns = [(one, turn) for one in due if (turn := self._turn(one, pods)) is not None]
        if not turns:
            return
        for (one, turn), outcome in zip(turns, self._sample([t for _, t in turns]), strict=True):
            self._give(one, turn, outcome)

    def _turn(self, follower: Follower, pods: Pods) -> Turn | None:
        """Say what to read for a release; a mistake in it must not cost the others theirs."""
        try:
            if follower.namespace not in pods:
                pods[follower.namespace] = by_hash(self._senses.pods(follower.namespace))
            return follower.turn(_own(follower, pods[follower.namespace]))
        except Exception:
            log.exception("a release cannot be read", release=follower.name)
            return None

    def _give(self, follower: Follower, turn: Turn, outcome: Outcome) -> None:
        """Have a release take what was read for it; a mistake in it must not cost the others."""
        try:
            follower.take(turn, outcome)
        except Exception:
            log.exception("a reading could not be taken", release=follower.name)

    def _sample(self, turns: Sequence[Turn]) -> Sequence[Outcome]:
        """Ask the provider; whatever it raises is a failure for each release."""
        at = self._senses.now()
        try:
            return self._open().sample([turn.ask for turn in turns], at)
        except Exception as error:
            log.exception("a provider failed", provider=self._policy.provider.kind)
            return [Failed(at, f"{type(error).__name__}: {error}")] * len(turns)

    def _open(self) -> MetricsProvider:
        if self._provider is None:
            self._provider = self._senses.provider(self._policy)
        return self._provider


def _own(follower: Follower, pods: Mapping[str, list[Object]]) -> list[Object]:
    """Give the pods of a release, so that none is looked at for each release."""
    return [pod for hash_ in follower.hashes for pod in pods.get(hash_ or "", ())]
