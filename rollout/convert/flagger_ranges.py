"""Ranges of a Canary's metrics, in which a value is good."""

from typing import Final

from rollout.convert.conditions import Limits
from rollout.convert.ledger import Fate, Source

LIMITS: Final = "max and min"


def limits(metric: Source) -> Limits:
    """Read the range; bounds are included in both worlds."""
    given = metric.part("thresholdRange")
    low, high = given.peek("min"), given.peek("max")
    for key in ("min", "max"):
        if not isinstance(given.peek(key), int | float | None):
            raise given.unreadable(key, "a number")
    if low is None and high is None:
        if not isinstance(metric.peek("threshold"), int | float | None):
            raise metric.unreadable("threshold", "a number")
        return Limits(max=metric.peek("threshold") or 0)
    return Limits(low, high)


def taken(metric: Source, what: str, *, near: bool) -> None:
    """Write down what became of the range and of the window of a metric."""
    fate = Fate.ASSUMED if near else Fate.CONVERTED
    for key in ("name", "threshold"):
        (metric.assume if near else metric.take)(key, what)
    metric.known("thresholdRange", ("min", "max"), fate, what)
    if what == LIMITS:
        metric.take("interval", "the window of the query")
    else:
        metric.not_needed("interval", "counters are read raw: there is no window")
