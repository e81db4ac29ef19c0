"""What a preset says."""

from dataclasses import dataclass

from rollout.resources.metric import Counter, Histogram, Matcher


@dataclass(frozen=True)
class PresetNames:
    """Counters of requests, and how the tracks are told apart in Prometheus."""

    bad: Counter
    total: Counter
    histogram: Histogram
    track_matchers: tuple[Matcher, ...]
