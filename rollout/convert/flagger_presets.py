"""Flagger's own two metrics: the counters of a preset."""

from typing import Any, Final

from rollout.convert.asked import ADDRESS, LeftOutError
from rollout.convert.conditions import Limits
from rollout.convert.flagger_ranges import limits, taken
from rollout.convert.ledger import Source
from rollout.convert.policies import MARGIN, Gathered
from rollout.convert.recognise import USUAL_BOUNDS, WIDEST
from rollout.convert.weights import WHOLE

NO_ADDRESS: Final = (
    "The address was Flagger's own setting (-metrics-server): write that of your Prometheus."
)
COMPARED: Final = (
    "It was a limit for itself; here the share is compared with stable in the same minutes."
)
MEAN: Final = "Flagger's figure for nginx was a mean; here it is the share of slow requests."
ONE_SIDE: Final = "only what hurts is limited: fewer errors and shorter times are no harm"
BUILT_IN: Final = ("request-success-rate", "request-duration")
HTTP: Final = "The counters are those of the pods here, not those of the mesh: see docs/metrics.md."


def is_built_in(metric: Source) -> bool:
    """Whether a metric is one of the two."""
    own = metric.has("templateRef") or metric.has("query")
    return str(metric.peek("name")) in BUILT_IN and not own


def preset(spec: Source, gathered: Gathered) -> None:
    """Choose where Flagger's own two metrics are read from here."""
    provider = spec.text("provider")
    if provider != "nginx" and not spec.has("metricsServer"):
        return
    if provider == "nginx":
        gathered.preset = "ingress-nginx"
    address = spec.take("metricsServer", "provider.address")
    gathered.provider = {"address": str(address or ADDRESS)}
    if not address:
        gathered.guessed = NO_ADDRESS


def built_in(metric: Source, gathered: Gathered, spec: Source) -> None:
    """Take one of them.

    Raises LeftOutError, with the reason and what to do, when the policy cannot have it.
    """
    provider = spec.text("provider") or ""
    bounds = limits(metric)
    rate = metric.peek("name") == BUILT_IN[0]
    if rate and bounds.min is None and bounds.max is not None and metric.has("threshold"):
        bounds = Limits(min=bounds.max)
    limit = bounds.min if rate else bounds.max
    if limit is None:
        raise LeftOutError("it has no limit on this side: write thresholdRange")
    body, notes = _share(float(limit)) if rate else _slow(float(limit), provider)
    if gathered.preset != "ingress-nginx":
        notes = (*notes, HTTP)
    gathered.built_in("errors" if rate else "latency", body, tuple(n[:-1] for n in notes))
    taken(metric, MARGIN if rate else f"bounds and {MARGIN}", near=True)
    _other_side(metric.part("thresholdRange"), bounds, rate=rate)


def _other_side(given: Source, bounds: Limits, *, rate: bool) -> None:
    """Settle the limit that nothing bad can pass."""
    if rate and (bounds.max or 0) >= WHOLE:
        given.not_needed("max", "no share is larger")
    elif not rate and (bounds.min or 0) <= 0:
        given.not_needed("min", "no time is shorter")
    else:
        given.no_equal("max" if rate else "min", ONE_SIDE)


def _share(least: float) -> tuple[dict[str, Any], tuple[str, ...]]:
    allowed = min(max(round(1 - least / 100, 6), 0), WIDEST)
    body = {"kind": "Ratio", "margin": {"ratio": 1.0, "absolute": allowed}}
    return body, (f"At least {least:g} % had to succeed.", COMPARED)


def _slow(most: float, provider: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    wanted = most / 1000
    bound = min((one for one in USUAL_BOUNDS if one >= wanted), default=wanted)
    body = {"kind": "Latency", "bounds": [bound], "margin": {"ratio": 1.0, "absolute": 0.01}}
    notes = [f"99 % had to be within {most:g} ms.", COMPARED]
    if provider in {"nginx", "skipper"}:
        notes.append(MEAN)
    if bound != wanted:
        notes.append(f"{bound:g} s is the next larger bucket that histograms usually have.")
    return body, tuple(notes)
