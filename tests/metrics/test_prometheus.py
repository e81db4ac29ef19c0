"""How Prometheus can fail to answer; what it answers is in tests/contracts."""

import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from rollout.analysis.counts import CounterId, Failed, Missing, Outcome, Reading, Series
from rollout.analysis.signals import Track
from rollout.metrics.addresses import AddressMap
from rollout.metrics.prometheus import Prometheus
from rollout.metrics.provider import Ask, PodAddress, Side, TrackQuery
from rollout.metrics.registry import provider
from rollout.resources.duration import seconds
from rollout.resources.metric import RatioMetric, ValueMetric
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.provider import PrometheusProvider
from tests.metrics.servers import Answer, answering, say
from tests.prometheus.server import Prometheus as Server

NOW = datetime(2026, 1, 1, tzinfo=UTC)
QUERY = TrackQuery(
    "shop",
    Side("aaa", "web", (PodAddress("web-aaa-1", "10.244.0.1", 80),)),
    Side("bbb", "web-candidate", (PodAddress("web-bbb-1", "10.244.0.2", 80),)),
)


def policy(address: str, *values: ValueMetric, **settings: Any) -> RolloutPolicySpec:
    return RolloutPolicySpec(
        provider=PrometheusProvider(address=address, timeout=seconds(0.3), **settings),
        metrics=(RatioMetric(name="errors"), *values),
    )


def sample(spec: RolloutPolicySpec, query: TrackQuery = QUERY) -> Outcome:
    asked = provider(spec, AddressMap.identity())
    assert isinstance(asked, Prometheus)
    (outcome,) = asked.sample([Ask(spec, query)], NOW)
    asked.close()
    return outcome


def failure(answer: Answer) -> str:
    with answering(answer) as port:
        outcome = sample(policy(f"http://127.0.0.1:{port}"))
    assert isinstance(outcome, Failed), outcome
    assert outcome.at == NOW
    return outcome.reason


def vector(*series: tuple[dict[str, str], str]) -> str:
    result = [{"metric": labels, "value": [1.0, value]} for labels, value in series]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}})


def test_nobody_there_is_a_failure_at_once() -> None:
    began = time.monotonic()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        outcome = sample(policy(f"http://127.0.0.1:{taken.getsockname()[1]}"))
    assert isinstance(outcome, Failed)
    assert "does not answer: [Errno 111] Connection refused" in outcome.reason
    assert time.monotonic() - began < 0.5


def test_silent_server_is_a_failure_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        outcome = sample(policy(f"http://127.0.0.1:{silent.getsockname()[1]}"))
        took = time.monotonic() - began
    assert isinstance(outcome, Failed)
    assert "timed out" in outcome.reason
    assert took < 1


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
def test_refused_query_is_a_failure_with_the_answer(status: int) -> None:
    reason = failure(say(status, '{"error":"out of sorts"}'))
    assert f"refuses the query: HTTP status {status}" in reason
    assert "out of sorts" in reason


@pytest.mark.parametrize(
    "body",
    [
        "<html>",
        "{}",
        "[]",
        '{"data":{"result":[{"metric":{}}]}}',
        '{"data":{"result":[{"metric":{},"value":[1]}]}}',
        '{"data":{"result":7}}',
        vector(({}, "many")),
    ],
)
def test_answer_that_is_no_result_is_a_failure(body: str) -> None:
    assert "127.0.0.1" in failure(say(200, body))


def test_empty_answer_is_missing_data_not_zero() -> None:
    with answering(say(200, vector())) as port:
        outcome = sample(policy(f"http://127.0.0.1:{port}"))
    assert isinstance(outcome, Missing)
    assert "neither series nor targets" in outcome.reason


def test_samples_are_sorted_by_the_mark_they_were_asked_with() -> None:
    labels = {"job": "pods", "instance": "10.0.0.1:80", "code": "500", "__name__": "x"}
    candidate = {"namespace": "shop", "pod": "web-bbb-1"}
    stable = {"namespace": "shop", "pod": "web-aaa-1"}
    body = vector(
        ({**labels, "rollout_counter": "1", **candidate}, "4"),
        ({"job": "pods", "instance": "10.0.0.2:80", "rollout_counter": "0", **stable}, "1"),
        ({**labels, "rollout_counter": "1", "namespace": "shop", "pod": "other"}, "9"),
    )
    with answering(say(200, body)) as port:
        outcome = sample(policy(f"http://127.0.0.1:{port}"))
    assert isinstance(outcome, Reading)
    own = Series(
        "pods/10.0.0.1:80", "code=500,instance=10.0.0.1:80,job=pods,namespace=shop,pod=web-bbb-1"
    )
    assert outcome.counters == {CounterId(Track.CANDIDATE, "errors", "bad"): {own: 4}}
    assert outcome.targets == {"pods/10.0.0.1:80", "pods/10.0.0.2:80"}


def test_one_query_asks_for_all_counters_at_one_moment() -> None:
    seen: list[tuple[dict[str, list[str]], str | None]] = []

    def remember(handler: BaseHTTPRequestHandler, query: dict[str, list[str]]) -> None:
        seen.append((query, handler.headers.get("X-Scope-OrgID")))
        say(200, vector())(handler, query)

    with answering(remember) as port:
        spec = policy(f"http://127.0.0.1:{port}/", headers={"X-Scope-OrgID": "shop"})
        sample(spec)
    ((query, tenant),) = seen
    assert tenant == "shop"
    assert query["time"] == [f"{NOW.timestamp():.3f}"]
    (text,) = query["query"]
    assert text.count("label_replace") == 3
    pods = "(?:web-aaa-1)|(?:web-bbb-1)"
    assert f'http_requests_total{{code=~"5..",namespace="shop",pod=~"{pods}"}}' in text
    assert "rate(" not in text


def test_tracks_without_pods_ask_nothing() -> None:
    nobody = TrackQuery("shop", Side("aaa", "web"), Side("bbb", "web-candidate"))
    outcome = sample(policy("http://127.0.0.1:1"), nobody)
    assert isinstance(outcome, Missing)


# --- values, against a real Prometheus


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("prometheus")) as running:
        yield running


def measured(server: Server, query: str) -> Outcome:
    return sample(policy(server.address, ValueMetric(name="queue", query=query, max=1)))


@pytest.mark.system
@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("scalar(vector(2.5))", 2.5),
        ("vector(7)", 7),
        ("3", 3),
        ('label_replace(vector(1), "on", "${service}/${track}/${hash}", "", "")', 1),
        ('vector(7) or up{pod=~"${pods}",exported_service=~"${canary}"}', 7),
    ],
)
def test_scalar_and_single_series_are_values(server: Server, query: str, value: float) -> None:
    outcome = measured(server, query)
    assert isinstance(outcome, Reading)
    assert outcome.values == {"queue": value}


@pytest.mark.system
@pytest.mark.parametrize("query", ["vector(0) / 0", "scalar(nothing)", "nothing", "1 / vector(0)"])
def test_no_number_is_no_value(server: Server, query: str) -> None:
    """Without traffic 0/0 is NaN, an unknown series is an empty success, 1/0 is infinite."""
    assert isinstance(measured(server, query), Missing)


@pytest.mark.system
def test_query_of_many_series_is_no_value_and_says_why(server: Server) -> None:
    spec = policy(
        server.address,
        ValueMetric(
            name="queue", query="vector(1) or label_replace(vector(1),'a','b','','')", max=1
        ),
        ValueMetric(name="other", query="vector(1)", max=1),
    )
    outcome = sample(spec)
    assert isinstance(outcome, Reading)
    assert outcome.values == {"other": 1}
    assert "queue gives 2 series: aggregate them" in outcome.remarks[Track.CANDIDATE]


@pytest.mark.system
def test_mistyped_query_spoils_no_other_metric(server: Server) -> None:
    spec = policy(
        server.address,
        ValueMetric(name="queue", query="sum(", max=1),
        ValueMetric(name="other", query="vector(1)", max=1),
    )
    outcome = sample(spec)
    assert isinstance(outcome, Reading)
    assert outcome.values == {"other": 1}
    assert "metric queue: " in outcome.remarks[Track.CANDIDATE]
    assert "parse error" in outcome.remarks[Track.CANDIDATE]
