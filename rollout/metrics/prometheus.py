"""Counters from Prometheus, or from anything that speaks its query API.

All counters of both tracks come from one instant query at one evaluation time, so that they are
of the same moment: the selectors are joined with `or`, each with a label that says what it is.
Raw counters, never `rate()`: windows overlap, and extrapolation is not counting.

What PromQL does without data is never taken for a number: a candidate that never failed has no
5xx series (an empty result, not 0), a scalar query without traffic gives NaN.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from math import isfinite
from typing import Any, Final, TypeAlias

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from urllib3.util.retry import Retry

from rollout.analysis.counts import Failed, Missing, Outcome
from rollout.analysis.signals import Track
from rollout.metrics.compile import Part, conditions, fill, parts, selector, track_matchers
from rollout.metrics.presets import PRESETS
from rollout.metrics.provider import TrackQuery
from rollout.metrics.samples import Gathering, Sample
from rollout.resources.metric import Matcher, ValueMetric
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.provider import PrometheusProvider

MARK: Final = "rollout_part"
UP: Final = "up"
CONNECT_TIMEOUT: Final = 2.0

_Labels: TypeAlias = Mapping[str, str]


class Prometheus:
    """Reads a policy's counters and values from Prometheus."""

    def __init__(self, policy: RolloutPolicySpec, provider: PrometheusProvider) -> None:
        self._policy = policy
        self._parts = {
            _mark(track, part): (track, part) for track in Track for part in parts(policy)
        }
        self._matchers = provider.track_matchers or PRESETS[policy.preset].track_matchers
        self._address = provider.address
        read = provider.timeout.total_seconds()
        self._timeout = (min(CONNECT_TIMEOUT, read), read)
        self._client = PrometheusConnect(
            url=provider.address.rstrip("/"), headers=dict(provider.headers) or None, retry=Retry(0)
        )

    def sample(self, query: TrackQuery, at: datetime) -> Outcome:
        """Read all counters and values as Prometheus has them at a moment."""
        gathering = Gathering(parts(self._policy))
        try:
            found = self._vector(self._counters(query), at)
            for labels, value in found:
                self._add(gathering, labels, value)
            for metric in self._policy.value_metrics:
                self._measure(gathering, metric, query, at)
        except _NoAnswerError as error:
            return Failed(at, str(error))
        if not found and not gathering.values:
            return Missing(at, f"{self._address} has neither series nor targets of the pods")
        return gathering.reading(at)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _counters(self, query: TrackQuery) -> str:
        """Give the one query for all parts of both tracks, and for the targets behind them."""
        vectors = list[str]()
        for track in Track:
            matchers = track_matchers(self._matchers, query, track)
            if matchers is not None:
                vectors += self._vectors(track, matchers)
        return " or ".join(vectors)

    def _vectors(self, track: Track, matchers: tuple[Matcher, ...]) -> Iterator[str]:
        yield _marked(f"{UP}{{{conditions(matchers)}}} == 1", f"{track.value} {UP}")
        for mark, (owner, part) in self._parts.items():
            if owner is track:
                yield _marked(selector(part, matchers), mark)

    def _add(self, gathering: Gathering, labels: _Labels, value: float) -> None:
        target = f"{labels.get('job', '')}/{labels.get('instance', '')}"
        gathering.targets.add(target)
        known = self._parts.get(labels.get(MARK, ""))
        if known is not None:
            kept = {name: text for name, text in labels.items() if name != MARK}
            gathering.add(Sample(*known, target, kept, value))

    def _measure(
        self, gathering: Gathering, metric: ValueMetric, query: TrackQuery, at: datetime
    ) -> None:
        """Ask for a value; a query that is refused is the policy's fault and spoils no other."""
        text = fill(metric.query, query, Track.CANDIDATE)
        try:
            found = [value for _, value in self._vector(text, at)]
        except _RefusedError as error:
            gathering.remark(Track.CANDIDATE, f"metric {metric.name}: {error}")
            return
        if len(found) == 1 and isfinite(found[0]):
            gathering.values[metric.name] = found[0]
        elif len(found) > 1:
            said = f"the query of {metric.name} gives {len(found)} series: aggregate them to one"
            gathering.remark(Track.CANDIDATE, said)

    def _vector(self, query: str, at: datetime) -> list[tuple[_Labels, float]]:
        """Ask; an empty query (no pods to ask for) has an empty answer."""
        if not query:
            return []
        try:
            result = self._client.custom_query(
                query, params={"time": f"{at.timestamp():.3f}"}, timeout=self._timeout
            )
            return list(_samples(result))
        except requests.RequestException as error:
            raise _NoAnswerError(f"{self._address} does not answer: {_root(error)}") from error
        except PrometheusApiClientException as error:
            raise _RefusedError(f"{self._address} refuses the query: {error}") from error
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise _NoAnswerError(
                f"{self._address} answers with something that is no query result: {error!r}"
            ) from error


class _NoAnswerError(Exception):
    """Prometheus did not answer in a way that can be used."""


class _RefusedError(_NoAnswerError):
    """Prometheus answered that it will not run the query."""


def _mark(track: Track, part: Part) -> str:
    return f"{track.value} {part.metric} {part.name}"


def _marked(vector: str, mark: str) -> str:
    return f'label_replace({vector}, "{MARK}", "{mark}", "", "")'


def _samples(result: Any) -> Iterable[tuple[_Labels, float]]:
    """Read a vector, or a scalar, whose type the client library drops."""
    if len(result) == 2 and isinstance(result[1], str):  # noqa: PLR2004 - [time, value]
        yield {}, float(result[1])
        return
    for one in result:
        yield one["metric"], float(one["value"][1])


def _root(error: BaseException) -> str:
    """Say the cause at the bottom: the wrappings of requests and urllib3 hide it."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return str(error) or type(error).__name__
