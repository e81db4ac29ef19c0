"""Metrics on their own schedule: decisions never wait for them, they use what there is."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from rollout.analysis.counts import Failed, Missing, Outcome, Reading
from rollout.analysis.verdict import ReleaseVerdict, Verdict
from rollout.controller.follow import Follower, Heard, Senses
from rollout.controller.metrics import Metrics
from rollout.controller.queue import Key
from rollout.controller.readers import Reader
from rollout.controller.stages import is_followed
from rollout.metrics.provider import MetricsProvider
from rollout.metrics.registry import same_provider
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.release import Release
from rollout.resources.writes import Object

NUMBERS_EVERY: Final = timedelta(seconds=2)
"""How often a release is looked at for new numbers alone: people watch them."""

JOIN_SECONDS: Final = 3.0


class Hearing(Protocol):
    """What a pass asks about metrics. Both calls return at once."""

    def attend(self, release: Release) -> None:
        """Take note of the state of a release: read its metrics, or stop reading them."""

    def heard(self, release: Release) -> Heard:
        """Give what is known of a release's metrics."""


@dataclass
class _Told:
    """What the last wake-up of a release was about."""

    verdict: ReleaseVerdict
    at: datetime


@dataclass(frozen=True)
class _Followed:
    """A release that is followed, and who reads for it."""

    follower: Follower
    reader: Reader
    group: tuple[str, float]


class Collector:
    """Follows the metrics of every release that is under way."""

    def __init__(
        self,
        provider: Callable[[RolloutPolicySpec], MetricsProvider],
        pods: Callable[[str], tuple[Object, ...]],
        wake: Callable[[Key, bool], None],
        now: Callable[[], datetime],
        metrics: Metrics,
    ) -> None:
        """Prepare it. `wake` is told whose verdict is news, and whether that is urgent."""
        self._senses = Senses(provider, pods, self._hear, now)
        self._wake = wake
        self._now = now
        self._metrics = metrics
        self._lock = threading.Lock()
        self._followed: dict[str, _Followed] = {}
        self._readers: dict[tuple[str, float], Reader] = {}
        self._told: dict[str, _Told] = {}

    def attend(self, release: Release) -> None:
        """Take note of the state of a release: read its metrics, or stop reading them."""
        uid, resolved = release.metadata.uid, release.status.resolved
        if not is_followed(release) or resolved is None:
            self.leave(uid)
            return
        with self._lock:
            known = self._followed.get(uid)
            if known is None:
                known = self._followed[uid] = self._follow(release, resolved.policy)
        if known.follower.update(release):
            known.reader.wake()

    def leave(self, uid: str) -> None:
        """Read a release's metrics no more; returns at once."""
        with self._lock:
            known = self._followed.pop(uid, None)
            self._told.pop(uid, None)
            if known is None:
                return
            known.follower.stop()
            if known.reader.leave(known.follower):
                self._readers.pop(known.group).stop()

    def keep(self, uids: frozenset[str]) -> None:
        """Leave every release that is not among these: what was deleted has no pass any more."""
        for uid in self._followed.keys() - uids:
            self.leave(uid)

    def heard(self, release: Release) -> Heard:
        """Give what is known of a release's metrics."""
        known = self._followed.get(release.metadata.uid)
        return Heard() if known is None else known.follower.heard(release)

    def stop(self) -> None:
        """Stop reading; waits a moment for readings that go on."""
        with self._lock:
            readers = list(self._readers.values())
            for known in self._followed.values():
                known.follower.stop()
            self._followed.clear()
            self._readers.clear()
        for reader in readers:
            reader.stop()
        deadline = time.monotonic() + JOIN_SECONDS
        for reader in readers:
            reader.stop(max(0.01, deadline - time.monotonic()))

    def _follow(self, release: Release, policy: RolloutPolicySpec) -> _Followed:
        """Join those that read the same, or be the first of them. Under the lock."""
        follower = Follower(release, policy, self._senses)
        group = same_provider(policy, release.metadata.namespace), policy.interval.total_seconds()
        reader = self._readers.get(group)
        if reader is None:
            reader = self._readers[group] = Reader(follower, self._senses)
            reader.join(follower)
            reader.start()
        else:
            reader.join(follower)
        return _Followed(follower, reader, group)

    def _hear(self, release: Release, verdict: ReleaseVerdict, outcome: Outcome) -> None:
        self._metrics.readings.labels(_kind(outcome)).inc()
        uid, now = release.metadata.uid, self._now()
        told = self._told.get(uid)
        news = told is None or _differ(told.verdict, verdict)
        if news:
            self._metrics.verdicts.labels(str(verdict.verdict)).inc()
        failed = verdict.verdict is Verdict.FAIL
        if told is None or news or failed or now - told.at >= NUMBERS_EVERY:
            self._told[uid] = _Told(verdict, now)
            self._wake(Key(release.metadata.namespace, release.spec.rollout), failed)


def _differ(before: ReleaseVerdict, after: ReleaseVerdict) -> bool:
    """Whether a decision may hang on the difference."""
    return (before.verdict, before.reason, before.overdue) != (
        after.verdict,
        after.reason,
        after.overdue,
    )


def _kind(outcome: Outcome) -> str:
    match outcome:
        case Reading():
            return "read"
        case Missing():
            return "missing"
        case Failed():
            return "failed"
