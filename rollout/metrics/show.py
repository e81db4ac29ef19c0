"""A policy told in full: every default filled in, and what is asked of each track."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, assert_never

from rollout.analysis.signals import Track
from rollout.metrics.compile import fill, parts, selector, track_matchers
from rollout.metrics.presets import PRESETS
from rollout.metrics.provider import PodAddress, Side, TrackQuery
from rollout.resources.duration import format_duration
from rollout.resources.metric import (
    LatencyMetric,
    Margin,
    Metric,
    OnFail,
    RatioMetric,
    ValueMetric,
)
from rollout.resources.policy import Bounded, RolloutPolicySpec
from rollout.resources.provider import PrometheusProvider

EXAMPLE: Final = TrackQuery(
    namespace="shop",
    stable=Side("5d8f7c9b4d", "web", (PodAddress("web-5d8f7c9b4d-7xk2p", "10.0.0.1"),)),
    candidate=Side(
        "6c7d8e9f5b",
        "web-candidate",
        (PodAddress("web-candidate-6c7d8e9f5b-q9wlz", "10.0.0.2"),),
        route="web",
    ),
)
"""A release of Service web in namespace shop, with one pod on each side."""


def queries(policy: RolloutPolicySpec) -> dict[str, dict[str, dict[str, str]]]:
    """Give the PromQL of each metric, by track and part, as for the example's release.

    Counters are asked for raw: the judge counts what was added between two readings.
    """
    provider = policy.provider
    own = provider.track_matchers if isinstance(provider, PrometheusProvider) else None
    matchers = own or PRESETS[policy.preset].track_matchers
    found: dict[str, dict[str, dict[str, str]]] = {}
    for track in Track:
        filled = track_matchers(matchers, EXAMPLE, track) or ()
        for part in parts(policy):
            by_track = found.setdefault(part.metric, {}).setdefault(track.value, {})
            by_track[part.name] = selector(part, filled)
    for metric in policy.value_metrics:
        text = fill(metric.query, EXAMPLE, Track.CANDIDATE)
        found[metric.name] = {Track.CANDIDATE.value: {"query": text}}
    return found


def told(policy: RolloutPolicySpec) -> Iterator[str]:
    """Tell a policy in lines, with each default that was left out."""
    asked = queries(policy)
    yield f"preset    {policy.preset.value}: names of counters, where a metric names none"
    yield f"provider  {_provider(policy)}"
    yield f"interval  {_span(policy, 'interval')}: a reading and a verdict so often"
    yield f"warmup    {_span(policy, 'warmup')}: nothing is counted for so long after each weight"
    yield from _numbers(policy)
    for metric in policy.metrics:
        yield ""
        yield from _metric(policy, metric, asked[metric.name])
    yield ""
    yield "PromQL is shown as for Service web in namespace shop with one pod on each side."


def _span(policy: RolloutPolicySpec, field: str) -> str:
    return format_duration(getattr(policy, field))


def _provider(policy: RolloutPolicySpec) -> str:
    provider = policy.provider
    timeout = format_duration(provider.timeout)
    if isinstance(provider, PrometheusProvider):
        return f"Prometheus at {provider.address}, {timeout} for an answer"
    return f"Scrape: the pods' own /metrics are read and added up, {timeout} for a pod"


def _numbers(policy: RolloutPolicySpec) -> Iterator[str]:
    chance = f"{policy.alpha * 100:g} %"
    yield f"alpha     {policy.alpha:g}: {chance} of healthy releases may be rolled back by mistake"
    few = min(policy.minimum_requests, policy.minimum_requests_to_fail)
    yield f"requests  {policy.minimum_requests} on each side before a Pass, {few} before a Fail"
    if policy.share_tolerance < 1:
        off = f"{policy.share_tolerance * 100:g} %"
        yield f"share     no verdict when the measured share is off the weight by more than {off}"
    yield f"no data   {_bounded(policy.no_data)}"
    yield f"errors    metrics that cannot be read: {_bounded(policy.provider_error)}"


def _bounded(bounded: Bounded) -> str:
    return f"hold for {format_duration(bounded.hold)}, then {bounded.then.value}"


def _metric(
    policy: RolloutPolicySpec, metric: Metric, asked: Mapping[str, Mapping[str, str]]
) -> Iterator[str]:
    gate = "gates the release" if metric.on_fail is OnFail.ROLLBACK else "is only reported"
    yield f"metric {metric.name} ({metric.kind}): {gate}"
    yield f"  {_fails(metric)}"
    for track, by_part in asked.items():
        yield f"  PromQL, {track}:"
        for name, query in by_part.items():
            yield f"    {name}: {query}"
    if not isinstance(metric, ValueMetric) and not isinstance(policy.provider, PrometheusProvider):
        names = sorted({part.series for part in parts(policy) if part.metric == metric.name})
        yield f"  of each pod: the lines of {', '.join(names)} that match"


def _fails(metric: Metric) -> str:
    match metric:
        case RatioMetric():
            return f"Fail: the candidate's share of bad requests is beyond {_margin(metric.margin)}"
        case LatencyMetric():
            bounds = ", ".join(f"{bound:g} s" for bound in metric.bounds)
            return (
                f"Fail: the candidate's share of requests slower than {bounds} (each a test of "
                f"its own) is beyond {_margin(metric.margin)}"
            )
        case ValueMetric():
            return _limits(metric)
        case _:
            assert_never(metric)


def _margin(margin: Margin) -> str:
    return f"{margin.ratio:g} times stable's + {margin.absolute:g}"


def _limits(metric: ValueMetric) -> str:
    low = f"below {metric.min:g}" if metric.min is not None else ""
    high = f"above {metric.max:g}" if metric.max is not None else ""
    limits = " or ".join(filter(None, (low, high)))
    often = metric.failures
    return f"Fail: the value is {limits} in {often.count} of the last {often.of} measurements"


def as_json(policy: RolloutPolicySpec) -> dict[str, Any]:
    """Give the policy with all its defaults, and its queries, for programs."""
    return {"spec": policy.to_json(), "promql": queries(policy)}
