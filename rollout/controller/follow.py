"""One release's metrics: what was counted, and the verdict on it.

Readings come from a reader that serves many releases; what is known is read without waiting.
What was counted is restored from the release's status; the counting itself begins anew with the
first reading.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf
from typing import Final

import structlog

from rollout.analysis.counts import Outcome
from rollout.analysis.evidence import Evidence, Reference, Stage
from rollout.analysis.evidence_json import decode
from rollout.analysis.judge import judge
from rollout.analysis.ledger import Ledger
from rollout.analysis.verdict import ReleaseVerdict
from rollout.controller.stages import NOWHERE, look_at, stage_of
from rollout.metrics.provider import Ask, MetricsProvider
from rollout.metrics.query import track_query
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.release import Release
from rollout.resources.writes import Object

log = structlog.get_logger(__name__)

CLOCKS: Final = 0.001
"""Seconds by which the two clocks, looked at one after the other, may seem to differ."""


@dataclass(frozen=True)
class Heard:
    """What is known of a release's metrics at one moment; both parts belong together."""

    evidence: Evidence | None = None
    verdict: ReleaseVerdict | None = None


@dataclass(frozen=True)
class Senses:
    """What followers rest on. `told` hears of each verdict, and of none twice."""

    provider: Callable[[RolloutPolicySpec], MetricsProvider]
    pods: Callable[[str], tuple[Object, ...]]
    told: Callable[[Release, ReleaseVerdict, Outcome], None]
    now: Callable[[], datetime]


@dataclass(frozen=True)
class Turn:
    """One release's part in a reading: what it asks, and in which stage it was then."""

    ask: Ask
    stage: Stage | None


class Follower:
    """Knows the metrics of one release that has been resolved."""

    def __init__(self, release: Release, policy: RolloutPolicySpec, senses: Senses) -> None:
        self._release = release
        self.policy = policy
        self._senses = senses
        self._listening = senses.now()
        self._lock = threading.Lock()
        self._ledger = Ledger(policy, restored(release))
        self._judged: tuple[Stage, ReleaseVerdict] | None = None
        self._stopping = False
        self.read_at: float | None = None
        """When it was read last, on the steady clock."""

    def stop(self) -> None:
        """Tell nobody of what is still being read."""
        self._stopping = True

    @property
    def name(self) -> str:
        """The name of the release."""
        return self._release.metadata.name

    @property
    def namespace(self) -> str:
        """The namespace of the release."""
        return self._release.metadata.namespace

    def update(self, release: Release) -> bool:
        """Take note of a newer state of the release; tell whether its stage is another now."""
        moved = stage_of(release) != stage_of(self._release)
        self._release = release
        return moved

    def heard(self, release: Release) -> Heard:
        """Give what is known of a release, judged for the stage that it is in.

        A verdict about an earlier stage is never given out as one about this.
        """
        stage = stage_of(release)
        with self._lock:
            if stage is None:
                return Heard(self._ledger.evidence)
            now = self._senses.now()
            if self._judged is None or _stale(self._judged, stage, now):
                self._judge(release, stage, now)
            verdict = self._judged[1] if self._judged else None
            return Heard(self._ledger.evidence, verdict)

    def wanted(self) -> float | None:
        """When it wants a reading of its own, on the steady clock: at first, and as a stage begins.

        A block that began before its stage is not counted, so one begins with the stage.
        """
        if self.read_at is None:
            return -inf
        stage = stage_of(self._release)
        if stage is None:
            return None
        left = (stage.since - self._senses.now()).total_seconds()
        begins = time.monotonic() + left
        return begins if self.read_at < begins - CLOCKS else None

    def turn(self, pods: Iterable[Object]) -> Turn:
        """Say what to read for it now; `pods` are those of its namespace."""
        release = self._release
        return Turn(Ask(self.policy, track_query(release, pods)), stage_of(release))

    @property
    def hashes(self) -> tuple[str | None, str | None]:
        """The hashes of the pods that it asks for."""
        return self._release.status.hashes.stable, self._release.status.hashes.candidate

    def take(self, turn: Turn, outcome: Outcome) -> None:
        """Count what was read. What was read while the stage changed belongs to no stage."""
        release = self._release
        after = stage_of(release)
        with self._lock:
            stage = after if after is not None and after == turn.stage else NOWHERE
            self._freeze(stage)
            self._ledger = self._ledger.take(outcome, stage)
            if after is None or self._stopping:
                return
            verdict = self._judge(release, after, self._senses.now())
        self._senses.told(release, verdict, outcome)

    def _judge(self, release: Release, stage: Stage, now: datetime) -> ReleaseVerdict:
        self._freeze(stage)
        look = look_at(release, stage, self._listening)
        verdict = judge(self.policy, self._ledger.evidence, look, now)
        self._judged = (stage, verdict)
        return verdict

    def _freeze(self, stage: Stage) -> None:
        """From the cutover on stable's counts before it are all there is to compare with."""
        if stage.reference is Reference.BEFORE:
            self._ledger = replace(self._ledger, evidence=self._ledger.evidence.frozen())


def restored(release: Release) -> Evidence:
    """Give what was counted before a restart; evidence that cannot be read is not trusted."""
    if not release.status.evidence:
        return Evidence()
    try:
        return decode(release.status.evidence)
    except ValueError as error:
        log.warning("judging starts anew", release=release.metadata.name, why=str(error))
        return Evidence()


def _stale(judged: tuple[Stage, ReleaseVerdict], stage: Stage, now: datetime) -> bool:
    """Whether a verdict is of another stage, or from before a deadline that is over now."""
    verdict = judged[1]
    deadline = verdict.deadline
    overdue = deadline is not None and verdict.at < deadline <= now
    return judged[0] != stage or overdue
