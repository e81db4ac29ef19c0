"""Builders of evidence, with defaults for what a test does not care about."""

from datetime import UTC, datetime, timedelta

from rollout.analysis.counts import Block, Counts, Pair
from rollout.analysis.evidence import Evidence, Reference, Stage
from rollout.analysis.look import Look
from rollout.analysis.signals import signals
from rollout.resources.duration import seconds
from rollout.resources.metric import Margin, RatioMetric
from rollout.resources.policy import RolloutPolicySpec

START = datetime(2026, 1, 1, tzinfo=UTC)
ERRORS = RolloutPolicySpec(
    interval=seconds(1),
    metrics=(RatioMetric(name="errors", margin=Margin(ratio=1.0, absolute=0.0)),),
    minimum_requests=50,
)


def at(second: float) -> datetime:
    """Give a moment by seconds since the start."""
    return START + timedelta(seconds=second)


def stage(weight: int = 20, since: float = 0, reference: Reference = Reference.CONCURRENT) -> Stage:
    """Give a stage."""
    return Stage(weight, at(since), reference)


def pair(bad: float, total: float, stable_bad: float, stable_total: float) -> Pair:
    """Give a pair, the candidate first."""
    return Pair(Counts(stable_bad, stable_total), Counts(bad, total))


def block(start: float, end: float, counts: Pair, policy: RolloutPolicySpec = ERRORS) -> Block:
    """Give a block with the same counts for each signal."""
    return Block(at(start), at(end), {s.name: counts for s in signals(policy)})


def seen(
    counts: Pair,
    *,
    seconds_: float = 10,
    where: Stage | None = None,
    policy: RolloutPolicySpec = ERRORS,
) -> Evidence:
    """Give evidence of one block."""
    return Evidence().with_block(block(0, seconds_, counts, policy), where or stage())


def look(where: Stage | None = None, planned: int = 10, minimum: int | None = None) -> Look:
    """Give a look."""
    return Look(where or stage(), planned, minimum)
