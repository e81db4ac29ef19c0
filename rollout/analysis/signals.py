"""What a policy compares: one signal per share of bad requests, so one per bound of a latency."""

from dataclasses import dataclass
from enum import StrEnum

from rollout.resources.metric import LatencyMetric, Margin, OnFail, RatioMetric
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.words import CANDIDATE, STABLE


class Track(StrEnum):
    """The two sides of a comparison."""

    STABLE = STABLE
    CANDIDATE = CANDIDATE


BAD = "bad"
TOTAL = "total"


def bucket(bound: float) -> str:
    """Name the counter of requests that took at most `bound` seconds."""
    return f"le={bound:g}"


@dataclass(frozen=True)
class Signal:
    """A share of bad requests that is compared between the tracks."""

    metric: str
    margin: Margin
    bound: float | None = None
    gates: bool = True
    part: float = 1.0
    """Share of the policy's alpha that this signal may spend."""

    @property
    def name(self) -> str:
        """Name in evidence: `errors`, or `latency>0.25s` for what is slower than a bound."""
        return self.metric if self.bound is None else f"{self.metric}>{self.bound:g}s"

    @property
    def good(self) -> str | None:
        """The counter of requests within the bound; None when bad requests are counted."""
        return None if self.bound is None else bucket(self.bound)


def signals(policy: RolloutPolicySpec) -> tuple[Signal, ...]:
    """List the policy's signals; the parts of those that gate sum to at most one.

    Each gating metric gets the same part, cut evenly among its bounds. A signal that is only
    reported spends nothing of the promise, so it is held to the whole alpha.
    """
    counted = [m for m in policy.metrics if isinstance(m, RatioMetric | LatencyMetric)]
    gating = sum(metric.on_fail is OnFail.ROLLBACK for metric in counted)
    return tuple(
        signal
        for metric in counted
        for signal in _of_metric(metric, gating if metric.on_fail is OnFail.ROLLBACK else 1)
    )


def _of_metric(metric: RatioMetric | LatencyMetric, among: int) -> tuple[Signal, ...]:
    bounds = metric.bounds if isinstance(metric, LatencyMetric) else (None,)
    return tuple(
        Signal(
            metric=metric.name,
            margin=metric.margin,
            bound=bound,
            gates=metric.on_fail is OnFail.ROLLBACK,
            part=1 / (among * len(bounds)),
        )
        for bound in bounds
    )
