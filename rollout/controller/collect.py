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
from rollout.controller.stages import is_followed
from rollout.metrics.provider import MetricsProvider
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
        self._followers: dict[str, Follower] = {}
        self._told: dict[str, _Told] = {}

    def attend(self, release: Release) -> None:
        """Take note of the state of a release: read its metrics, or stop reading them."""
        uid, resolved = release.metadata.uid, release.status.resolved
        if not is_followed(release) or resolved is None:
            self.leave(uid)
            return
        with self._lock:
            follower = self._followers.get(uid)
            if follower is None:
                follower = self._followers[uid] = Follower(release, resolved.policy, self._senses)
                follower.start()
        follower.update(release)

    def leave(self, uid: str) -> None:
        """Read a release's metrics no more; returns at once."""
        with self._lock:
            follower = self._followers.pop(uid, None)
            self._told.pop(uid, None)
        if follower is not None:
            follower.stop()

    def keep(self, uids: frozenset[str]) -> None:
        """Leave every release that is not among these: what was deleted has no pass any more."""
        for uid in self._followers.keys() - uids:
            self.leave(uid)

    def heard(self, release: Release) -> Heard:
        """Give what is known of a release's metrics."""
        follower = self._followers.get(release.metadata.uid)
        return Heard() if follower is None else follower.heard(release)

    def stop(self) -> None:
        """Stop reading; waits a moment for readings that go on."""
        with self._lock:
            followers = list(self._followers.values())
            self._followers.clear()
        for follower in followers:
            follower.stop()
        deadline = time.monotonic() + JOIN_SECONDS
        for follower in followers:
            follower.stop(max(0.01, deadline - time.monotonic()))

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
