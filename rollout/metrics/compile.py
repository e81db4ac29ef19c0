"""A policy's counters, compiled once for both ways of reading them.

A part (`bad` of `errors`, `le=0.25` of `latency`) is a name and matchers. Asked of Prometheus it
becomes a vector selector; read from a pod it is a filter on the lines of `/metrics`.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import inf, isclose
from os.path import commonprefix

from rollout.analysis.signals import BAD, TOTAL, Track, bucket
from rollout.metrics.presets import PRESETS
from rollout.metrics.provider import Side, TrackQuery
from rollout.resources.metric import (
    VARIABLE,
    Counter,
    LatencyMetric,
    Matcher,
    Operator,
    RatioMetric,
    Unit,
)
from rollout.resources.policy import RolloutPolicySpec


@dataclass(frozen=True)
class Part:
    """One counter of a metric of the policy."""

    metric: str
    name: str
    series: str
    matchers: tuple[Matcher, ...] = ()
    bound: float | None = None
    """Upper bound of a histogram's bucket in the unit of its `le` label."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether a series with the part's name belongs to it."""
        if self.bound is not None and not _same(labels.get("le", ""), self.bound):
            return False
        return all(holds(matcher, labels.get(matcher.label, "")) for matcher in self.matchers)


def parts(policy: RolloutPolicySpec) -> tuple[Part, ...]:
    """List the counters of a policy, with the preset's where the policy names none."""
    return tuple(
        part
        for metric in policy.metrics
        if isinstance(metric, RatioMetric | LatencyMetric)
        for part in _parts(policy, metric)
    )


def _parts(policy: RolloutPolicySpec, metric: RatioMetric | LatencyMetric) -> Iterator[Part]:
    names = PRESETS[policy.preset]
    if isinstance(metric, RatioMetric):
        yield _counter(metric.name, BAD, metric.bad or names.bad)
        yield _counter(metric.name, TOTAL, metric.total or names.total)
        return
    shown = metric.histogram or names.histogram
    scale = 1000 if shown.unit is Unit.MILLISECONDS else 1
    series = f"{shown.metric}_bucket"
    yield Part(metric.name, TOTAL, series, shown.matchers, inf)
    for bound in metric.bounds:
        yield Part(metric.name, bucket(bound), series, shown.matchers, bound * scale)


def _counter(metric: str, name: str, counter: Counter) -> Part:
    return Part(metric, name, counter.metric, counter.matchers)


def _same(text: str, bound: float) -> bool:
    try:
        return isclose(float(text), bound)
    except ValueError:
        return False


def holds(matcher: Matcher, value: str) -> bool:
    """Tell whether a label's value is matched; regular expressions match the whole value."""
    match matcher.op:
        case Operator.EQUAL:
            return value == matcher.value
        case Operator.NOT_EQUAL:
            return value != matcher.value
        case Operator.MATCH:
            return _pattern(matcher.value).fullmatch(value) is not None
        case Operator.NOT_MATCH:
            return _pattern(matcher.value).fullmatch(value) is None


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    """Compile once: with hundreds of releases there are more than `re` itself remembers."""
    return re.compile(text)


def selector(part: Part, track: Iterable[Matcher]) -> str:
    """Give the PromQL vector selector of a part on a track."""
    conditions = [_condition(m) for m in (*part.matchers, *track)]
    if part.bound is not None:
        conditions.append(f"le=~{json.dumps(_bound_regex(part.bound))}")
    return f"{part.series}{{{','.join(conditions)}}}"


def conditions(track: Iterable[Matcher]) -> str:
    """Give the matchers of a track as in a PromQL selector, without the name."""
    return ",".join(_condition(matcher) for matcher in track)


def _condition(matcher: Matcher) -> str:
    return f"{matcher.label}{matcher.op.value}{json.dumps(matcher.value, ensure_ascii=False)}"


def _bound_regex(bound: float) -> str:
    """Match all ways in which client libraries write a bound: `1`, `1.0`, `+Inf`."""
    if bound == inf:
        return r"\+Inf"
    texts = {f"{bound:.12g}", repr(float(bound))}
    return "|".join(sorted(re.escape(text) for text in texts))


def track_matchers(
    matchers: Iterable[Matcher], query: TrackQuery, track: Track
) -> tuple[Matcher, ...] | None:
    """Fill the variables of a track's matchers; None when there is nothing to name it by.

    A track without pods, or (stable after the cutover) without a Service, is not asked for:
    matchers with an empty value would match what is not its own.
    """
    side, filled = query.side(track), list[Matcher]()
    for matcher in matchers:
        if not _nameable(matcher.value, side):
            return None
        quoted = matcher.op in (Operator.MATCH, Operator.NOT_MATCH)
        value = fill(matcher.value, query, track, quoted=quoted)
        filled.append(matcher.model_copy(update={"value": value}))
    return tuple(filled)


def _nameable(text: str, side: Side) -> bool:
    known = {"pods": bool(side.pods), "service": bool(side.service), "hash": bool(side.hash)}
    known |= {"route": bool(side.service), "canary": bool(side.service)}
    return all(known.get(name, True) for name in VARIABLE.findall(text))


def fill(text: str, query: TrackQuery, track: Track, *, quoted: bool = False) -> str:
    """Fill the variables of a text; `quoted` for use inside a regular expression.

    `${pods}` and `${canary}` are regular expressions in any case. Only variables that exist come
    here: policies with others are refused.
    """
    side = query.side(track)
    values = {
        "namespace": query.namespace,
        "service": side.service,
        "track": track.value,
        "hash": side.hash,
        "route": side.route or side.service,
    }
    if quoted:
        values = {name: re.escape(value) for name, value in values.items()}
    values |= {"pods": pods_regex(side), "canary": _canary_regex(query.namespace, side)}
    return VARIABLE.sub(lambda found: values[found[1]], text)


def _canary_regex(namespace: str, side: Side) -> str:
    """Match what ingress-nginx calls the canary backend of a request, which names Service and port.

    For a Service that the routes themselves name it is empty.
    """
    if not side.route or side.route == side.service:
        return ""
    return f"{_literal(f'{namespace}-{side.service}')}-[a-z0-9-]+"


def pods_regex(side: Side) -> str:
    """Give a short regular expression that matches the pods' names and nothing else."""
    names = sorted(pod.name for pod in side.pods)
    if len(names) <= 1:
        return _literal("".join(names))
    shared = commonprefix(names)  # noqa: RUF071 - by character is what is wanted
    rest = "|".join(_literal(name.removeprefix(shared)) for name in names)
    return f"{_literal(shared)}({rest})"


def _literal(name: str) -> str:
    r"""Match a name of Kubernetes, without a backslash.

    In a query it stands within a text of PromQL, which knows `\\.` but neither `\.` nor `\-`.
    """
    return name.replace(".", "[.]")
