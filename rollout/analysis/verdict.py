"""What the judge says: five different things, never mixed up, each with its numbers."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from rollout.analysis.counts import Counts
from rollout.analysis.evidence import Reference
from rollout.resources.policy import Then


class Verdict(StrEnum):
    """The answer about a metric, or about a release."""

    PASS = "Pass"  # noqa: S105 - a verdict, no password
    FAIL = "Fail"
    UNDECIDED = "Undecided"
    NO_DATA = "NoData"
    ERROR = "Error"


class Reason(StrEnum):
    """Why, in one word for programs."""

    NOT_WORSE = "NotWorse"
    WORSE = "WorseThanAllowed"
    SUSPICIOUS = "Suspicious"
    FEW_REQUESTS = "FewRequests"
    WARMING_UP = "WarmingUp"
    REFERENCE_READY = "ReferenceReady"
    NO_REQUESTS = "NoRequests"
    TRAFFIC_MIX = "TrafficMixDiffers"
    PROVIDER = "ProviderFailed"
    WITHIN_LIMITS = "WithinLimits"
    OUT_OF_LIMITS = "OutOfLimits"
    FEW_VALUES = "FewMeasurements"
    NO_VALUE = "NoValue"
    NOTHING_GATES = "NothingGates"


SEVERITY: Final = (
    Verdict.PASS,
    Verdict.UNDECIDED,
    Verdict.NO_DATA,
    Verdict.ERROR,
    Verdict.FAIL,
)
"""The later of two verdicts wins: harm that was proved stands, whatever is missing besides."""


@dataclass(frozen=True)
class Finding:
    """A verdict with its reason and its sentence."""

    verdict: Verdict
    reason: Reason
    message: str
    since: datetime | None = None
    """For NoData and Error: when data went missing."""


@dataclass(frozen=True)
class MetricVerdict:
    """What one metric says. For a latency, the numbers are those of the bound that decides."""

    name: str
    verdict: Verdict
    reason: Reason
    message: str
    gates: bool = True
    bound: float | None = None
    stable: Counts | None = None
    candidate: Counts | None = None
    p_value: float | None = None
    """Chance of such counts, or worse ones, if the candidate were just within the margin."""
    limit: float | None = None
    """The metric fails below this p-value; it is the alpha that this look spends."""
    value: float | None = None
    since: datetime | None = None
    reference: Reference = Reference.CONCURRENT


@dataclass(frozen=True)
class ReleaseVerdict:
    """What all gating metrics say together.

    For NoData and Error `since` is when data went missing, `deadline` is when the policy's
    bound is over, and `then` what it wants; `overdue` gives it once the deadline has passed.
    """

    verdict: Verdict
    reason: Reason
    message: str
    at: datetime
    metrics: tuple[MetricVerdict, ...] = ()
    look: int = 0
    planned: int = 1
    reference: Reference = Reference.CONCURRENT
    since: datetime | None = None
    deadline: datetime | None = None
    then: Then | None = None

    @property
    def overdue(self) -> Then | None:
        """What the policy wants now, because data has been missing for longer than its bound."""
        if self.deadline is None or self.at < self.deadline:
            return None
        return self.then


def worst(verdicts: Iterable[MetricVerdict]) -> MetricVerdict:
    """Give the verdict that decides: the most severe, and of equals the least likely by chance.

    There must be at least one.
    """
    return max(verdicts, key=_weight)


def _weight(verdict: MetricVerdict) -> tuple[int, float]:
    chance = 1.0 if verdict.p_value is None else verdict.p_value
    return SEVERITY.index(verdict.verdict), -chance
