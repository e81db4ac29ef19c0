"""When the judge is asked, for what, and on which evidence."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from rollout.analysis.evidence import Evidence, Reference, Stage, Stratum
from rollout.analysis.verdict import Finding, Reason, Verdict
from rollout.resources.duration import format_duration
from rollout.resources.policy import RolloutPolicySpec

PATIENCE: Final = 3
"""Intervals without data before it counts as missing: one lost reading is no news."""
LEAST_PATIENCE: Final = timedelta(seconds=3)


@dataclass(frozen=True)
class Look:
    """One look at the evidence.

    `planned` is the number of looks that the release's plan has room for
    (`spending.planned_looks`). `minimum_requests` is the step's own wish; left out, the policy's.
    A stage of weight 0 asks whether stable's counts will do as a reference. `share` is what the
    pods make of the requests, in percent, where pods make it; left out, the stage's weight.
    """

    stage: Stage
    planned: int
    minimum_requests: int | None = None
    share: float | None = None
    listening: datetime | None = None
    """Since when somebody has been reading: silence before that is no news of the service's."""

    @property
    def expected(self) -> float:
        """The candidate's share of requests that the routers were asked for, in percent."""
        return self.stage.weight if self.share is None else self.share


@dataclass(frozen=True)
class Case:
    """All that one verdict is formed from."""

    policy: RolloutPolicySpec
    evidence: Evidence
    look: Look
    now: datetime

    @property
    def stage(self) -> Stage:
        """The conditions of the current step or bake."""
        return self.look.stage

    @property
    def after_cutover(self) -> bool:
        """Whether the candidate is compared with stable's counts from before the cutover."""
        return self.stage.reference is Reference.BEFORE

    @property
    def only_reference(self) -> bool:
        """Whether only stable's counts are wanted, because the candidate has no traffic yet."""
        return self.stage.weight == 0 and not self.after_cutover

    @property
    def stratum(self) -> Stratum | None:
        """What was counted in the current stage."""
        return self.evidence.stratum(self.stage)

    @property
    def to_pass(self) -> int:
        """Requests that each side needs in this step before a Pass."""
        wish = self.look.minimum_requests
        return self.policy.minimum_requests if wish is None else wish

    @property
    def to_fail(self) -> int:
        """Requests that each side needs before a Fail."""
        return min(self.policy.minimum_requests_to_fail, self.to_pass)

    def listened(self, since: datetime) -> datetime:
        """Give since when something has been missing while somebody was there to read it."""
        return max(since, self.look.listening or since)

    def missing_for(self, since: datetime) -> timedelta | None:
        """Give how long data has been missing, once that is news; else None."""
        patience = max(PATIENCE * self.policy.interval, LEAST_PATIENCE)
        gone = self.now - since
        return gone if gone >= patience else None

    def trouble(self, name: str) -> Finding | None:
        """Say that metrics cannot be read, once that is news."""
        trouble = self.evidence.trouble
        since = self.listened(trouble.since) if trouble else self.now
        gone = self.missing_for(since)
        if trouble is None or gone is None:
            return None
        message = f"{name}: metrics cannot be read for {rounded(gone)}: {trouble.message}"
        return Finding(Verdict.ERROR, Reason.PROVIDER, message, since)


def rounded(length: timedelta) -> str:
    """Say a length of time in whole seconds."""
    return format_duration(timedelta(seconds=round(length.total_seconds())))
