"""Raw cumulative counters to counts of what happened between two readings.

Rates over sliding windows count the same minute many times and make every bound on false alarms
a lie; so counters are read raw and cut into blocks that do not overlap.

Three things go wrong with counters, and each has one answer here: a process restarts (the value
falls: what it shows now is new), a series appears (it counts from zero if its target was read
before, else it is only a starting point: what happened before we looked is not ours), and a
series vanishes (it counts up to its last sample; if it comes back, the increment spans the gap).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any, TypeAlias

from rollout.analysis.signals import BAD, TOTAL, Signal, Track


@dataclass(frozen=True)
class Series:
    """One raw counter: the process that shows it and its labels."""

    target: str
    labels: str = ""


@dataclass(frozen=True)
class CounterId:
    """What a group of series counts: a part (`bad`, `total`, `le=0.25`) of a metric on a track."""

    track: Track
    metric: str
    part: str


@dataclass(frozen=True)
class Reading:
    """All counters of both tracks, read at one moment.

    `targets` are the processes that were read in full: a series that one of them did not show
    did not exist. `values` are the numbers of Value metrics. `remarks` say, per track, what could
    not be read and why.
    """

    at: datetime
    counters: Mapping[CounterId, Mapping[Series, float]]
    targets: frozenset[str] = frozenset()
    values: Mapping[str, float] = field(default_factory=dict)
    remarks: Mapping[Track, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Missing:
    """The provider answered, and there is nothing to count: why, in a sentence."""

    at: datetime
    reason: str


@dataclass(frozen=True)
class Failed:
    """The provider did not answer, or not in a way that can be used: why, in a sentence."""

    at: datetime
    reason: str


Outcome: TypeAlias = Reading | Missing | Failed
"""What a provider gives. Missing data is a value, never an exception, never a zero."""


@dataclass(frozen=True)
class Counts:
    """Requests of one side."""

    bad: float = 0.0
    total: float = 0.0

    @property
    def rate(self) -> float:
        """Share of bad requests; 0 without requests."""
        return self.bad / self.total if self.total else 0.0

    def plus(self, other: "Counts") -> "Counts":
        """Give the sum of two counts."""
        return Counts(self.bad + other.bad, self.total + other.total)


@dataclass(frozen=True)
class Pair:
    """Requests of both sides in the same time."""

    stable: Counts = Counts()
    candidate: Counts = Counts()

    def plus(self, other: "Pair") -> "Pair":
        """Give the sum of two pairs."""
        return Pair(self.stable.plus(other.stable), self.candidate.plus(other.candidate))

    def side(self, track: Track) -> Counts:
        """Give the counts of one side."""
        return self.stable if track is Track.STABLE else self.candidate


@dataclass(frozen=True)
class Block:
    """What happened between two readings, by name of signal."""

    start: datetime
    end: datetime
    pairs: Mapping[str, Pair]


_Key = tuple[str, str, Series]


@dataclass(frozen=True)
class Counting:
    """The last value of every series seen in a release, by which increments are taken.

    Tracks are no part of the key: at the cutover an edge's counters change sides, and their past
    must not be counted again on the new one.
    """

    at: datetime | None = None
    last: Mapping[_Key, float] = field(default_factory=dict)
    read: frozenset[str] = frozenset()

    def take(self, reading: Reading, signals: Iterable[Signal]) -> tuple["Counting", Block | None]:
        """Advance to a reading; give the block since the reading before it.

        No block comes from the first reading, nor from one that is not newer than the last.
        """
        if self.at is not None and reading.at <= self.at:
            return self, None
        sums, last = self._advance(reading)
        after = Counting(reading.at, last, self.read | reading.targets)
        if self.at is None:
            return after, None
        pairs = {signal.name: _pair(signal, sums) for signal in signals}
        return after, Block(self.at, reading.at, pairs)

    def _advance(self, reading: Reading) -> tuple[dict[CounterId, float], dict[_Key, float]]:
        last, sums = dict(self.last), dict[CounterId, float]()
        for counter, series in reading.counters.items():
            for one, value in series.items():
                if isfinite(value):
                    key = (counter.metric, counter.part, one)
                    sums[counter] = sums.get(counter, 0.0) + self._increment(key, value)
                    last[key] = value
        return sums, last

    def _increment(self, key: _Key, value: float) -> float:
        before = self.last.get(key)
        if before is None:
            return value if key[2].target in self.read else 0.0
        return value - before if value >= before else value


def _pair(signal: Signal, sums: Mapping[CounterId, float]) -> Pair:
    def counts(track: Track) -> Counts:
        total = sums.get(CounterId(track, signal.metric, TOTAL), 0.0)
        if signal.good is None:
            bad = sums.get(CounterId(track, signal.metric, BAD), 0.0)
        else:
            bad = total - sums.get(CounterId(track, signal.metric, signal.good), 0.0)
        return Counts(min(max(bad, 0.0), total), total)

    return Pair(counts(Track.STABLE), counts(Track.CANDIDATE))


def to_json(pair: Pair) -> list[float]:
    """Give a pair as four numbers: bad and total of stable, bad and total of the candidate."""
    stable, candidate = pair.stable, pair.candidate
    return [stable.bad, stable.total, candidate.bad, candidate.total]


def from_json(numbers: Any) -> Pair:
    """Read what `to_json` wrote. Raises ValueError or TypeError for anything else."""
    stable_bad, stable_total, bad, total = (float(number) for number in numbers)
    return Pair(Counts(stable_bad, stable_total), Counts(bad, total))
