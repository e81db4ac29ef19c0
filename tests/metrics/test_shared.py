"""Many releases that read the same: what is asked grows with what is different, not with them."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final

import pytest

from rollout.analysis.counts import CounterId, Failed, Missing, Outcome, Reading
from rollout.analysis.signals import Track
from rollout.controller.collect import Collector
from rollout.controller.metrics import Metrics
from rollout.metrics.addresses import AddressMap
from rollout.metrics.provider import Ask, PodAddress, Side, TrackQuery
from rollout.metrics.registry import provider
from rollout.resources.metric import Counter, LatencyMetric, Matcher, RatioMetric, ValueMetric
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.provider import PrometheusProvider
from rollout.resources.release import Hashes, Release
from rollout.resources.writes import Object
from tests.analysis.build import pair
from tests.controller.test_collect import release, until
from tests.metrics.pods import ADDRESSES, SamplePod
from tests.metrics.servers import answering, say
from tests.prometheus.config import Target
from tests.prometheus.proxy import Proxy
from tests.prometheus.proxy import say as reply
from tests.prometheus.server import Prometheus as Server

MANY: Final = 20


class Party:
    """One release with a pod on each side."""

    def __init__(self, number: int, policy: RolloutPolicySpec) -> None:
        self.number = number
        self.stable, self.candidate = SamplePod(f"s{number}"), SamplePod(f"c{number}")
        self.release = self._release(policy)

    @property
    def pods(self) -> tuple[SamplePod, SamplePod]:
        """Both pods."""
        return self.stable, self.candidate

    @property
    def query(self) -> TrackQuery:
        """What it asks of a provider."""
        stable = Side(f"s{self.number}", f"web{self.number}", (self.stable.address,))
        aside = f"web{self.number}-candidate"
        candidate = Side(f"c{self.number}", aside, (self.candidate.address,))
        return TrackQuery("shop", stable, candidate)

    def serve(self) -> tuple[int, int, int, int]:
        """Have the pods count; gives bad and total of the candidate, then of stable."""
        self.stable.serve(100 + self.number)
        self.candidate.serve(10 + self.number)
        self.candidate.serve(self.number, code=500)
        return self.number, 10 + 2 * self.number, 0, 100 + self.number

    def objects(self) -> Iterator[Object]:
        """Both pods as the API shows them."""
        for pod, hash_ in zip(self.pods, (f"s{self.number}", f"c{self.number}"), strict=True):
            notes = {"prometheus.io/scrape": "true", "prometheus.io/port": str(pod.address.port)}
            labels = {"pod-template-hash": hash_}
            yield {
                "metadata": {"name": pod.name, "labels": labels, "annotations": notes},
                "status": {"podIP": pod.ip, "phase": "Running"},
            }

    def _release(self, policy: RolloutPolicySpec) -> Release:
        hashes = Hashes(stable=f"s{self.number}", candidate=f"c{self.number}")
        made = release(hashes=hashes)
        resolved = made.status.resolved
        assert resolved is not None
        update = {"resolved": resolved.model_copy(update={"policy": policy})}
        metadata = {"uid": f"u{self.number}", "name": f"web{self.number}-2", "namespace": "shop"}
        return made.model_copy(
            update={
                "status": made.status.model_copy(update=update),
                "metadata": made.metadata.model_copy(update=metadata),
            }
        )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path) as running:
        yield running


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with Proxy(server.address) as proxy:
        yield proxy


def policy(proxy: Proxy, **settings: Any) -> RolloutPolicySpec:
    given = {
        "metrics": (RatioMetric(name="errors"),),
        "interval": timedelta(seconds=1),
        "share_tolerance": 1.0,
        **settings,
    }
    return RolloutPolicySpec(provider=PrometheusProvider(address=proxy.address), **given)


@contextmanager
def parties(server: Server, policies: list[RolloutPolicySpec]) -> Iterator[list[Party]]:
    made = [Party(number, one) for number, one in enumerate(policies)]
    pods = [pod for party in made for pod in party.pods]
    for pod in pods:
        pod.serve(1)
    targets = [Target(pod.reached, {"namespace": "shop", "pod": pod.name}) for pod in pods]
    server.set_targets(targets)
    try:
        yield made
    finally:
        stopping = [threading.Thread(target=pod.stop) for pod in pods]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()


@contextmanager
def collector(made: list[Party]) -> Iterator[Collector]:
    objects = tuple(obj for party in made for obj in party.objects())
    own = Collector(
        lambda spec: provider(spec, ADDRESSES),
        lambda _: objects,
        lambda *_: None,
        lambda: datetime.now(UTC),
        Metrics(),
    )
    try:
        yield own
    finally:
        own.stop()


def counted(own: Collector, party: Party) -> Any:
    evidence = own.heard(party.release).evidence
    if evidence is None or not evidence.strata:
        return None
    return evidence.strata[0].pairs["errors"]


def readers() -> int:
    return sum(thread.name == "metrics" for thread in threading.enumerate())


@pytest.mark.system
@pytest.mark.timeout(120)
def test_twenty_releases_ask_as_often_as_one_and_each_gets_its_own_counts(
    server: Server, proxy: Proxy
) -> None:
    with parties(server, [policy(proxy)] * MANY) as made, collector(made) as own:
        for party in made:
            own.attend(party.release)
        until(lambda: all(known(own, party) for party in made), "all are read", 30)
        expected = [pair(*party.serve()) for party in made]
        until(lambda: [counted(own, party) for party in made] == expected, "exact counts", 30)
        before = len(proxy.asked)
        time.sleep(5.2)
        assert [counted(own, party) for party in made] == expected, "nothing is counted twice"
        assert 4 <= len(proxy.asked) - before <= 6, "one query an interval"
        assert readers() == 1
        query = proxy.asked[-1].query
        assert query.count("http_requests_total{") == 2, "one selector for each counter"
        proxy.misbehave = lambda handler: reply(handler, 503, b'{"error": "out of sorts"}')
        until(lambda: all("out of sorts" in trouble(own, p) for p in made), "the failure on each")


def known(own: Collector, party: Party) -> bool:
    """Whether both of its sides have been read, so that what they count from now on counts."""
    evidence = own.heard(party.release).evidence
    return evidence is not None and evidence.until is not None and not evidence.remarks


def trouble(own: Collector, party: Party) -> str:
    evidence = own.heard(party.release).evidence
    return evidence.trouble.message if evidence and evidence.trouble else ""


# --- the provider alone


def read(outcome: Outcome) -> Reading:
    assert isinstance(outcome, Reading), outcome
    return outcome


@pytest.mark.system
def test_policies_that_differ_share_what_they_have_in_common(server: Server, proxy: Proxy) -> None:
    other = RatioMetric(
        name="mine",
        bad=Counter(metric="http_requests_total", matchers=(Matcher(label="code", value="404"),)),
        total=Counter(metric="http_requests_total"),
    )
    latency = LatencyMetric(name="latency", bounds=(0.25,))
    specs = [policy(proxy), policy(proxy, metrics=(other,)), policy(proxy, metrics=(latency,))]
    with parties(server, specs) as made:
        source = provider(specs[0], ADDRESSES)
        asks = [Ask(spec, party.query) for spec, party in zip(specs, made, strict=True)]

        def all_read() -> bool:
            found = source.sample(asks, datetime.now(UTC))
            return all(isinstance(one, Reading) and len(one.targets) == 2 for one in found)

        until(all_read, "all targets", 20)
        proxy.asked.clear()
        first, second, third = map(read, source.sample(asks, datetime.now(UTC)))
        source.close()
    assert len(proxy.asked) == 1
    assert proxy.asked[0].query.count("http_requests_total{") == 3, "two kinds of bad, one total"
    assert total(first, "errors") == total(second, "mine") == 1
    assert total(third, "latency") == 1
    assert {counter.metric for counter in first.counters} == {"errors"}


def total(reading: Reading, metric: str) -> float:
    return sum(reading.counters[CounterId(Track.STABLE, metric, "total")].values())


@pytest.mark.system
def test_values_of_many_releases_are_one_query_for_each_metric(proxy: Proxy) -> None:
    scalar = ValueMetric(name="scalar", query="scalar(vector(1)) + 1", max=9)
    vector = ValueMetric(
        name="vector", query='label_replace(vector(3), "on", "${service}", "", "")', max=9
    )
    number = ValueMetric(name="number", query="vector(${hash})", max=9)
    spec = policy(proxy, metrics=(scalar, vector, number))
    queries = [
        TrackQuery("shop", Side("s", "web"), Side(str(n), f"web{n}-candidate")) for n in range(MANY)
    ]
    source = provider(spec, ADDRESSES)
    for _ in range(2):
        proxy.asked.clear()
        outcomes = source.sample([Ask(spec, query) for query in queries], datetime.now(UTC))
        values = [read(one).values for one in outcomes]
        assert values == [{"scalar": 2.0, "vector": 3.0, "number": float(n)} for n in range(MANY)]
    source.close()
    assert len(proxy.asked) == 3, "once it is known what they give"


@pytest.mark.system
def test_a_mistake_of_one_release_spoils_no_other(server: Server, proxy: Proxy) -> None:
    """`(?!x)` is a regular expression here and none in Prometheus."""
    bad = Counter(
        metric="http_requests_total",
        matchers=(Matcher.model_validate({"label": "code", "op": "=~", "value": "(?!x)5.."}),),
    )
    wrong = RatioMetric(name="errors", bad=bad, total=Counter(metric="http_requests_total"))
    value = ValueMetric(name="value", query="vector(${hash}", max=9)
    specs = [policy(proxy) for _ in range(7)]
    specs[3] = policy(proxy, metrics=(wrong,))
    specs[5] = policy(proxy, metrics=(RatioMetric(name="errors"), value))
    with parties(server, specs) as made:
        source = provider(specs[0], ADDRESSES)
        asks = [Ask(spec, party.query) for spec, party in zip(specs, made, strict=True)]

        def kinds() -> list[type]:
            return [type(one) for one in source.sample(asks, datetime.now(UTC))]

        expected = [Failed if n == 3 else Reading for n in range(7)]
        until(lambda: kinds() == expected, "all but one are read", 20)
        outcomes = source.sample(asks, datetime.now(UTC))
        source.close()
    assert isinstance(outcomes[3], Failed)
    assert "refuses the query: HTTP status 400" in outcomes[3].reason
    assert "metric value: " in read(outcomes[5]).remarks[Track.CANDIDATE]


@pytest.mark.system
def test_what_is_too_much_for_one_answer_is_asked_in_parts(proxy: Proxy) -> None:
    passing, padded = 4, b" " * (17 * 2**20)

    def picky(handler: BaseHTTPRequestHandler) -> None:
        asked = proxy.asked[-1]
        many = asked.query.count("web") > 2 * passing
        reply(handler, 200, padded if many else EMPTY)

    proxy.misbehave = picky
    spec = policy(proxy).model_copy(
        update={
            "provider": PrometheusProvider(address=proxy.address, timeout=timedelta(seconds=20))
        }
    )
    source = provider(spec, AddressMap.identity())
    queries = [
        TrackQuery(
            "shop",
            Side("s", "x", (PodAddress(f"web-{n}-s", "10.0.0.1"),)),
            Side("c", "y"),
        )
        for n in range(16)
    ]
    asks = [Ask(spec, query) for query in queries]
    assert all(isinstance(one, Missing) for one in source.sample(asks, datetime.now(UTC)))
    learnt = len(proxy.asked)
    proxy.asked.clear()
    source.sample(asks, datetime.now(UTC))
    source.close()
    assert len(proxy.asked) < learnt, "the size that fits is remembered"


EMPTY: Final = b'{"status": "success", "data": {"resultType": "vector", "result": []}}'


# --- pods


def test_a_pod_is_read_once_however_many_want_it() -> None:
    asked: list[str] = []

    def page(handler: BaseHTTPRequestHandler, query: dict[str, list[str]]) -> None:
        asked.append(handler.path)
        say(200, 'http_requests_total{code="200"} 7\n', "text/plain")(handler, query)

    with answering(page) as port:
        pod = PodAddress("web-1", "127.0.0.1", port)
        query = TrackQuery("shop", Side("a", "web", (pod,)), Side("b", "web-candidate"))
        errors = RolloutPolicySpec(metrics=(RatioMetric(name="errors"),))
        both = RolloutPolicySpec()
        source = provider(both, AddressMap.identity())
        outcomes = source.sample(
            [Ask(errors, query), Ask(both, query), Ask(errors, query)], datetime.now(UTC)
        )
        source.close()
    assert asked == ["/metrics"]
    assert [total(read(outcomes[n]), "errors") for n in range(3)] == [7, 7, 7]
