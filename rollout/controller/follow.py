"""One release's metrics: read on the policy's interval, on a thread of its own.

A provider may take as long as its timeout. That delays the next reading and nothing else: what
is known is read without waiting. What was counted is restored from the release's status; the
counting itself begins anew with the first reading.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from rollout.analysis.counts import Failed, Outcome
from rollout.analysis.evidence import Evidence, Reference, Stage
from rollout.analysis.evidence_json import decode
from rollout.analysis.judge import judge
from rollout.analysis.ledger import Ledger
from rollout.analysis.verdict import ReleaseVerdict
from rollout.controller.query import track_query
from rollout.controller.stages import NOWHERE, look_at, stage_of
from rollout.metrics.provider import MetricsProvider
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.release import Release
from rollout.resources.writes import Object

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Heard:
    """What is known of a release's metrics at one moment; both parts belong together."""

    evidence: Evidence | None = None
    verdict: ReleaseVerdict | None = None


@dataclass(frozen=True)
class Senses:
    """What a follower rests on. `told` hears of each verdict, and of none twice."""

    provider: Callable[[RolloutPolicySpec], MetricsProvider]
    pods: Callable[[str], tuple[Object, ...]]
    told: Callable[[Release, ReleaseVerdict, Outcome], None]
    now: Callable[[], datetime]


class Follower:
    """Reads the metrics of one release that has been resolved."""

    def __init__(self, release: Release, policy: RolloutPolicySpec, senses: Senses) -> None:
        self._release = release
        self._policy = policy
        self._senses = senses
        self._interval = policy.interval.total_seconds()
        self._lock = threading.Lock()
        self._ledger = Ledger(policy, restored(release))
        self._judged: tuple[Stage, ReleaseVerdict] | None = None
        self._changed = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(
            target=self._run, name=f"metrics-{release.metadata.name}", daemon=True
        )

    def start(self) -> None:
        """Begin to read; returns at once."""
        self._thread.start()

    def stop(self, timeout: float = 0.0) -> None:
        """Read no more, and wait for so many seconds at most for a reading that goes on."""
        self._stopping = True
        self._changed.set()
        if timeout > 0:
            self._thread.join(timeout)

    def update(self, release: Release) -> None:
        """Take note of a newer state of the release."""
        moved = stage_of(release) != stage_of(self._release)
        self._release = release
        if moved:
            self._changed.set()

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

    def _judge(self, release: Release, stage: Stage, now: datetime) -> ReleaseVerdict:
        self._freeze(stage)
        verdict = judge(self._policy, self._ledger.evidence, look_at(release, stage), now)
        self._judged = (stage, verdict)
        return verdict

    def _freeze(self, stage: Stage) -> None:
        """From the cutover on stable's counts before it are all there is to compare with."""
        if stage.reference is Reference.BEFORE:
            self._ledger = replace(self._ledger, evidence=self._ledger.evidence.frozen())

    def _run(self) -> None:
        provider, last = None, None
        try:
            while not self._stopping:
                if self._wait_until(self._next(last)):
                    last = time.monotonic()
                    provider = provider or self._senses.provider(self._policy)
                    self._read(provider)
        except Exception:
            log.exception("metrics are not read any more", release=self._release.metadata.name)
        finally:
            if provider is not None:
                provider.close()

    def _next(self, last: float | None) -> float:
        """When to read next, on the steady clock: at the start of a stage, then per interval."""
        now = time.monotonic()
        if last is None:
            return now
        stage = stage_of(self._release)
        if stage is not None:
            begins = now + (stage.since - self._senses.now()).total_seconds()
            if last < begins < last + self._interval:
                return begins
        return last + self._interval

    def _wait_until(self, moment: float) -> bool:
        """Whether the moment has come; False when something changed before it."""
        changed = self._changed.wait(max(0.0, moment - time.monotonic()))
        self._changed.clear()
        return not (changed or self._stopping)

    def _read(self, provider: MetricsProvider) -> None:
        """One reading. What was read while the stage changed belongs to no stage."""
        release = self._release
        before = stage_of(release)
        outcome = self._sample(provider, release)
        release = self._release
        after = stage_of(release)
        with self._lock:
            stage = after if after is not None and after == before else NOWHERE
            self._freeze(stage)
            self._ledger = self._ledger.take(outcome, stage)
            if after is None or self._stopping:
                return
            verdict = self._judge(release, after, self._senses.now())
        self._senses.told(release, verdict, outcome)

    def _sample(self, provider: MetricsProvider, release: Release) -> Outcome:
        query = track_query(release, self._senses.pods(release.metadata.namespace))
        at = self._senses.now()
        try:
            return provider.sample(query, at)
        except Exception as error:
            log.exception("a provider failed", release=release.metadata.name)
            return Failed(at, f"{type(error).__name__}: {error}")


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
