"""Simulated releases for measuring the judge: requests by chance, readings by the clock."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import exp, log
from random import Random

from rollout.analysis.counts import Block, Counts, Pair
from rollout.analysis.evidence import Evidence, Stage
from rollout.analysis.judge import judge
from rollout.analysis.look import Look
from rollout.analysis.signals import signals
from rollout.analysis.spending import planned_looks
from rollout.analysis.verdict import ReleaseVerdict, Verdict
from rollout.resources.policy import RolloutPolicySpec

START = datetime(2026, 1, 1, tzinfo=UTC)
Rate = Callable[[float], float]
"""Chance that a request is bad, by seconds since the start."""


def steady(rate: float) -> Rate:
    """Give a chance that never changes."""
    return lambda _: rate


@dataclass(frozen=True)
class Version:
    """How a version behaves, by name of signal; what is not named is never bad."""

    rates: dict[str, Rate]

    def rate(self, signal: str, seconds: float) -> float:
        """Give the chance that a request is bad."""
        return self.rates[signal](seconds) if signal in self.rates else 0.0


@dataclass(frozen=True)
class Traffic:
    """Requests per second, and the steps they are split by: (weight in percent, seconds)."""

    rps: float
    steps: tuple[tuple[int, float], ...]

    @property
    def lengths(self) -> list[timedelta]:
        """Lengths of the steps."""
        return [timedelta(seconds=seconds) for _, seconds in self.steps]


def seeded(seed: int) -> Random:
    """Give a source of chance that is the same in every run."""
    return Random(seed)  # noqa: S311 - a simulation, not a secret


def draw(random: Random, trials: int, chance: float) -> int:
    """Draw from a binomial distribution, in time proportional to what comes out."""
    if chance <= 0 or trials <= 0:
        return 0
    if chance > 0.5:
        return trials - draw(random, trials, 1 - chance)
    hits, position = 0, 0
    while True:
        position += int(log(1 - random.random()) / log(1 - chance)) + 1
        if position > trials:
            return hits
        hits += 1


def arrivals(random: Random, mean: float) -> int:
    """Draw from a Poisson distribution."""
    if mean > 500:
        return max(0, round(random.gauss(mean, mean**0.5)))
    count, product, limit = 0, random.random(), exp(-mean)
    while product > limit:
        count, product = count + 1, product * random.random()
    return count


def blocks(
    random: Random, traffic: Traffic, policy: RolloutPolicySpec, stable: Version, candidate: Version
) -> Iterator[tuple[Block, Stage]]:
    """Play a release: one block per interval, with the stage it belongs to."""
    at, length = 0.0, policy.interval.total_seconds()
    for weight, seconds in traffic.steps:
        stage = Stage(weight, START + timedelta(seconds=at))
        for _ in range(max(1, round(seconds / length))):
            total = arrivals(random, traffic.rps * length)
            share = draw(random, total, weight / 100)
            pairs = {
                signal.name: Pair(
                    Counts(
                        draw(random, total - share, stable.rate(signal.name, at)), total - share
                    ),
                    Counts(draw(random, share, candidate.rate(signal.name, at)), share),
                )
                for signal in signals(policy)
            }
            start = START + timedelta(seconds=at)
            at += length
            yield Block(start, START + timedelta(seconds=at), pairs), stage


def play(
    random: Random, traffic: Traffic, policy: RolloutPolicySpec, stable: Version, candidate: Version
) -> Iterator[ReleaseVerdict]:
    """Give the verdict after each block of a release."""
    evidence, planned = Evidence(), planned_looks(traffic.lengths, policy.interval)
    for block, stage in blocks(random, traffic, policy, stable, candidate):
        evidence = evidence.with_block(block, stage)
        yield judge(policy, evidence, Look(stage, planned), block.end)


def first_fail(
    random: Random, traffic: Traffic, policy: RolloutPolicySpec, stable: Version, candidate: Version
) -> float | None:
    """Give the seconds until the first Fail of a release, or None when it never fails."""
    for verdict in play(random, traffic, policy, stable, candidate):
        if verdict.verdict is Verdict.FAIL:
            return (verdict.at - START).total_seconds()
    return None
