"""What goes wrong with pods, one by one; what goes right is in tests/contracts."""

import socket
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler

import pytest

from rollout.analysis.counts import CounterId, Reading, Series
from rollout.analysis.signals import Track
from rollout.metrics.addresses import AddressMap
from rollout.metrics.bounded import LARGEST
from rollout.metrics.compile import parts
from rollout.metrics.provider import Ask, PodAddress, Side, TrackQuery
from rollout.metrics.registry import provider
from rollout.metrics.scrape import Scrape, samples
from rollout.resources.duration import seconds
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.provider import ScrapeProvider
from tests.metrics.servers import Answer, answering, say

POLICY = RolloutPolicySpec(provider=ScrapeProvider(timeout=seconds(0.3)))
PAGE = """\
# HELP http_requests_total Requests.
# TYPE http_requests_total counter
http_requests_total{code="200",method="get"} 90.0
http_requests_total{code="503",method="get"} 3
http_requests_total_by_zone{code="503"} 77
http_requests_created{code="200"} 1.7e9
http_request_duration_seconds_bucket{le="0.25"} 80
http_request_duration_seconds_bucket{le="1.0"} 91
http_request_duration_seconds_bucket{le="+Inf"} 93
"""
TEXT = "text/plain"


def read(*pods: PodAddress, timeout: float = 0.3) -> Reading:
    scrape = Scrape(ScrapeProvider(timeout=seconds(timeout)), AddressMap.identity())
    query = TrackQuery("shop", Side("a", "web"), Side("b", "web-candidate", pods))
    (outcome,) = scrape.sample([Ask(POLICY, query)], datetime.now(UTC))
    scrape.close()
    assert isinstance(outcome, Reading)
    return outcome


def remark_about(answer: Answer, timeout: float = 0.3) -> str:
    with answering(answer) as port:
        reading = read(PodAddress("web-1", "127.0.0.1", port), timeout=timeout)
    assert reading.counters == {}
    assert reading.targets == frozenset()
    return reading.remarks[Track.CANDIDATE]


def test_page_is_read_into_counters() -> None:
    with answering(say(200, PAGE, TEXT)) as port:
        reading = read(PodAddress("web-1", "127.0.0.1", port))
    errors = reading.counters[CounterId(Track.CANDIDATE, "errors", "bad")]
    total = reading.counters[CounterId(Track.CANDIDATE, "errors", "total")]
    assert errors == {Series("web-1", "code=503,method=get"): 3}
    assert sum(total.values()) == 93
    assert reading.counters[CounterId(Track.CANDIDATE, "latency", "le=1")] == {Series("web-1"): 91}
    assert reading.targets == {"web-1"}


def test_path_of_the_annotation_is_asked() -> None:
    asked: list[str] = []

    def remember(handler: BaseHTTPRequestHandler, _: dict[str, list[str]]) -> None:
        asked.append(handler.path)
        say(200, PAGE, TEXT)(handler, {})

    with answering(remember) as port:
        read(PodAddress("web-1", "127.0.0.1", port, "/stats/prometheus"))
    assert asked == ["/stats/prometheus"]


def test_pod_that_refuses_is_unreadable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        reading = read(PodAddress("web-1", "127.0.0.1", taken.getsockname()[1]))
    assert "1 of 1 pods could not be read (web-1: " in reading.remarks[Track.CANDIDATE]
    assert "refused" in reading.remarks[Track.CANDIDATE]


def test_pod_that_says_no_is_unreadable() -> None:
    assert "/metrics answers 404" in remark_about(say(404, "not here", TEXT))


def test_page_that_is_garbage_is_unreadable() -> None:
    assert "could not be read" in remark_about(say(200, "http_requests_total{code= 5", TEXT))


def test_page_that_is_no_text_is_unreadable() -> None:
    def binary(handler: BaseHTTPRequestHandler, _: dict[str, list[str]]) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b"http_requests_total \xff\xfe")

    assert "could not be read" in remark_about(binary)


def test_page_that_trickles_is_unreadable_after_the_timeout() -> None:
    def trickle(handler: BaseHTTPRequestHandler, _: dict[str, list[str]]) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _step in range(20):
            handler.wfile.write(b"# slow\n")
            time.sleep(0.1)

    began = time.monotonic()
    assert "no whole answer within 0.3s: timed out" in remark_about(trickle)
    assert time.monotonic() - began < 5


def test_page_without_end_is_unreadable() -> None:
    def flood(handler: BaseHTTPRequestHandler, _: dict[str, list[str]]) -> None:
        handler.send_response(200)
        handler.end_headers()
        piece = b"#" * (1 << 20)
        for _step in range(LARGEST // len(piece) + 8):
            handler.wfile.write(piece)

    assert "longer than 16 MiB" in remark_about(flood, timeout=10)


def test_pods_that_hang_cost_one_timeout_together() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        port = silent.getsockname()[1]
        began = time.monotonic()
        reading = read(*(PodAddress(f"web-{n}", "127.0.0.1", port) for n in range(12)))
        took = time.monotonic() - began
    assert took < 2
    assert (
        "12 of 12 pods could not be read (web-0: no whole answer within 0.3s: timed out)"
        in (reading.remarks[Track.CANDIDATE])
    )


def test_one_pod_that_hangs_does_not_hide_the_others() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        answering(say(200, PAGE, TEXT)) as port,
    ):
        reading = read(
            PodAddress("web-1", "127.0.0.1", silent.getsockname()[1]),
            PodAddress("web-2", "127.0.0.1", port),
        )
    assert reading.targets == {"web-2"}
    assert "1 of 2 pods could not be read" in reading.remarks[Track.CANDIDATE]


def test_pod_with_a_problem_is_not_asked_and_says_it() -> None:
    reading = read(PodAddress("web-1", "127.0.0.1", 1, problem="annotation is missing"))
    assert "(web-1: annotation is missing)" in reading.remarks[Track.CANDIDATE]


def test_track_without_pods_is_told() -> None:
    with answering(say(200, PAGE, TEXT)) as port:
        reading = read(PodAddress("web-1", "127.0.0.1", port))
    assert "it has no pods" in reading.remarks[Track.STABLE]


def test_series_that_do_not_exist_are_named() -> None:
    with answering(say(200, "up 1\n", TEXT)) as port:
        reading = read(PodAddress("web-1", "127.0.0.1", port))
    assert "there is no series http_requests_total of it" in reading.remarks[Track.CANDIDATE]
    assert reading.targets == {"web-1"}


def test_long_page_costs_little() -> None:
    """A page of 20,000 lines of which we want 5."""
    noise = "\n".join(f'noise_total{{path="/{n}",zone="z"}} {n}' for n in range(20_000))
    wanted = parts(POLICY)
    began = time.perf_counter()
    found = list(samples(f"{noise}\n{PAGE}", wanted, Track.STABLE, "web-1"))
    assert time.perf_counter() - began < 0.5
    assert len(found) == 6


def test_policy_without_a_provider_reads_the_pods() -> None:
    own = provider(RolloutPolicySpec(), AddressMap.identity())
    own.close()
    assert isinstance(own, Scrape)


@pytest.mark.parametrize("page", ["", "# only comments\n"])
def test_empty_page_has_no_samples(page: str) -> None:
    assert list(samples(page, parts(POLICY), Track.STABLE, "web-1")) == []
