"""What a release has shown so far: sums of disjoint blocks, few enough to live in its status.

Blocks are summed per stage, the conditions under which they were counted (weight, and what
stable is compared with), and never across stages: when the weight rises while the error rate
drifts, pooled totals blame the candidate for the drift (Simpson's paradox); sums per weight do not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from rollout.analysis.counts import Block, Counts, Pair
from rollout.analysis.signals import Track


class Reference(StrEnum):
    """What the candidate is compared with."""

    CONCURRENT = "concurrent"
    BEFORE = "before"


@dataclass(frozen=True)
class Stage:
    """The conditions under which a block is counted.

    `since` is when the weight was applied (read back), plus the policy's warm-up: blocks that
    began before it are not counted. A release that is resumed begins a new stage: what was wrong
    with the counts of the one before need not be wrong with these.
    """

    weight: int
    since: datetime
    reference: Reference = Reference.CONCURRENT

    @property
    def tests(self) -> bool:
        """Whether the candidate is tested here; at weight 0 only the reference is collected."""
        return self.weight > 0


@dataclass(frozen=True)
class Stratum:
    """Sums of the blocks of one stage, by name of signal."""

    stage: Stage
    since: datetime
    until: datetime
    pairs: Mapping[str, Pair]

    def plus(self, block: Block) -> "Stratum":
        """Give the stratum with one more block in it."""
        pairs = {
            name: self.pairs.get(name, Pair()).plus(pair) for name, pair in block.pairs.items()
        }
        return replace(self, until=block.end, pairs={**self.pairs, **pairs})


@dataclass(frozen=True)
class Measured:
    """One measurement of a Value metric."""

    at: datetime
    value: float


@dataclass(frozen=True)
class Trouble:
    """Metrics cannot be read: since when, and what the provider said last."""

    since: datetime
    message: str


@dataclass(frozen=True)
class Frozen:
    """Stable's counts before the cutover, which is all that is left to compare with after it."""

    since: datetime
    until: datetime
    counts: Mapping[str, Counts]


@dataclass(frozen=True)
class Evidence:
    """All that the judge knows about a release."""

    looks: int = 0
    """Looks spent: one per block that is tested, and one per block that was lost in a gap."""
    until: datetime | None = None
    """End of the last block: no block may begin before it."""
    strata: tuple[Stratum, ...] = ()
    last_requests: Mapping[Track, datetime] = field(default_factory=dict)
    """End of the last block in which a side had requests."""
    values: Mapping[str, tuple[Measured, ...]] = field(default_factory=dict)
    remarks: Mapping[Track, str] = field(default_factory=dict)
    trouble: Trouble | None = None
    before: Frozen | None = None

    def with_block(self, block: Block, stage: Stage) -> "Evidence":
        """Add a block to its stage.

        A block that began before the stage, or that overlaps what is counted already, changes
        nothing: a block lost is harmless, a block counted twice is a lie.
        """
        if block.start < stage.since or (self.until is not None and block.start < self.until):
            return self
        return replace(
            self,
            looks=self.looks + (1 + self._lost(block) if stage.tests else 0),
            until=block.end,
            strata=_added(self.strata, block, stage),
            last_requests={**self.last_requests, **_heard(block)},
        )

    def _lost(self, block: Block) -> int:
        gap = block.start - self.until if self.until is not None else timedelta(0)
        return int(gap / (block.end - block.start))

    def with_value(self, name: str, measured: Measured, keep: int) -> "Evidence":
        """Add a measurement of a Value metric, and forget all but the last `keep`."""
        known = (*self.values.get(name, ()), measured)[-keep:]
        return replace(self, values={**self.values, name: known})

    def with_trouble(self, at: datetime, message: str) -> "Evidence":
        """Note that metrics could not be read; the first failure of a row gives the time."""
        since = self.trouble.since if self.trouble else at
        return replace(self, trouble=Trouble(since, message))

    def with_remarks(self, remarks: Mapping[Track, str]) -> "Evidence":
        """Note a reading that worked, and what it could not read per track."""
        return replace(self, trouble=None, remarks=dict(remarks))

    def frozen(self) -> "Evidence":
        """Freeze stable's counts up to now as the reference for what comes after the cutover.

        Once frozen they stay, so that the answer is the same after a crash.
        """
        own = [s for s in self.strata if s.stage.reference is Reference.CONCURRENT]
        if self.before is not None or not own:
            return self
        counts: dict[str, Counts] = {}
        for stratum in own:
            for name, pair in stratum.pairs.items():
                counts[name] = counts.get(name, Counts()).plus(pair.stable)
        since, until = min(s.since for s in own), max(s.until for s in own)
        return replace(self, before=Frozen(since, until, counts))

    def stratum(self, stage: Stage) -> Stratum | None:
        """Give the sums of one stage, if anything was counted in it."""
        return next((stratum for stratum in self.strata if stratum.stage == stage), None)

    def pairs(self, signal: str, reference: Reference) -> tuple[Pair, ...]:
        """Give the counts of a signal that are compared with a reference, stage by stage.

        After the cutover stable's side is what was frozen before it.
        """
        strata = [s for s in self.strata if s.stage.reference is reference]
        pairs = tuple(stratum.pairs.get(signal, Pair()) for stratum in strata)
        if reference is Reference.CONCURRENT:
            return pairs
        stable = self.before.counts.get(signal, Counts()) if self.before else Counts()
        return tuple(replace(pair, stable=stable) for pair in pairs)


def _added(strata: tuple[Stratum, ...], block: Block, stage: Stage) -> tuple[Stratum, ...]:
    if any(stratum.stage == stage for stratum in strata):
        return tuple(s.plus(block) if s.stage == stage else s for s in strata)
    return (*strata, Stratum(stage, block.start, block.end, block.pairs))


def _heard(block: Block) -> dict[Track, datetime]:
    return {
        track: block.end
        for track in Track
        if any(pair.side(track).total > 0 for pair in block.pairs.values())
    }
