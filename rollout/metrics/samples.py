"""From labelled samples to a reading: what both providers share."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from rollout.analysis.counts import CounterId, Reading, Series
from rollout.analysis.signals import TOTAL, Track
from rollout.metrics.compile import Part

_NOT_IDENTITY: Final = frozenset({"__name__", "le"})


@dataclass(frozen=True)
class Sample:
    """One raw counter value of a part."""

    track: Track
    part: Part
    target: str
    labels: Mapping[str, str]
    value: float


@dataclass
class Gathering:
    """Samples on their way into a reading."""

    parts: tuple[Part, ...]
    counters: dict[CounterId, dict[Series, float]] = field(default_factory=dict)
    targets: set[str] = field(default_factory=set)
    values: dict[str, float] = field(default_factory=dict)
    remarks: dict[Track, list[str]] = field(default_factory=dict)

    def add(self, sample: Sample) -> None:
        """Put a sample where it counts."""
        counter = CounterId(sample.track, sample.part.metric, sample.part.name)
        series = Series(sample.target, _identity(sample.labels))
        self.counters.setdefault(counter, {})[series] = sample.value
        self.targets.add(sample.target)

    def remark(self, track: Track, text: str) -> None:
        """Note what could not be read on a track."""
        self.remarks.setdefault(track, []).append(text)

    def reading(self, at: datetime) -> Reading:
        """Give the reading; metrics whose bounds do not exist are left out of it, with a remark.

        A bucket that is not there would make all requests look slow.
        """
        for part in self.parts:
            for track in Track:
                self._check(track, part)
        remarks = {track: "; ".join(dict.fromkeys(said)) for track, said in self.remarks.items()}
        return Reading(at, self.counters, frozenset(self.targets), self.values, remarks)

    def _check(self, track: Track, part: Part) -> None:
        total = self.counters.get(CounterId(track, part.metric, TOTAL))
        if part.name == TOTAL and not total:
            self.remark(track, f"there is no series {part.series} of it")
        if part.bound is None or not total:
            return
        shown = self.counters.get(CounterId(track, part.metric, part.name), {})
        if total.keys() - shown.keys():
            self.remark(
                track,
                f"{part.series} has no bucket {part.bound:g}: set bounds of metric {part.metric} "
                "to buckets that the histogram has",
            )
            self._leave_out(part.metric)

    def _leave_out(self, metric: str) -> None:
        for counter in [one for one in self.counters if one.metric == metric]:
            del self.counters[counter]


def _identity(labels: Mapping[str, str]) -> str:
    """Name a series by its labels, but for the bucket's bound: its counter says that."""
    kept: Iterable[tuple[str, str]] = sorted(
        (name, value) for name, value in labels.items() if name not in _NOT_IDENTITY
    )
    return ",".join(f"{name}={value}" for name, value in kept)
