"""What every provider of metrics promises, held against real pods and a real Prometheus.

The pods count what they are told of; the sum of the blocks must be that, whatever happens to
pods, processes and series in between.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

import pytest

from rollout.analysis.counts import Counting, Missing, Outcome, Pair, Reading
from rollout.analysis.signals import Track, signals
from rollout.metrics.credentials import Keys
from rollout.metrics.provider import Ask, MetricsProvider, Side, TrackQuery
from rollout.metrics.registry import provider
from rollout.resources.access import FromSecret, SecretRef, Tls
from rollout.resources.metric import LatencyMetric, RatioMetric
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.provider import PrometheusProvider
from tests.analysis.build import pair
from tests.metrics.pods import ADDRESSES, Pods, pods
from tests.prometheus.certificates import Authority
from tests.prometheus.config import Target
from tests.prometheus.proxy import Guard, Proxy
from tests.prometheus.server import Prometheus

pytestmark = pytest.mark.system

PATIENCE: Final = 12.0
POLICY: Final = RolloutPolicySpec(
    metrics=(RatioMetric(name="errors"), LatencyMetric(name="latency", bounds=(0.25, 1.0)))
)


class Case(Protocol):
    """A provider in its world."""

    policy: RolloutPolicySpec
    keys: Keys
    lag: float
    """Seconds until what pods count is seen, at most."""

    def know(self, own: Pods) -> None:
        """Let the world know of the pods of a test."""


class ScrapeCase:
    """Reads the pods themselves, so there is nothing between."""

    policy = POLICY
    keys = Keys()
    lag = 0.1

    def know(self, own: Pods) -> None:
        """Nobody else has to know."""


class PrometheusCase:
    """Asks a Prometheus that scrapes the pods each second."""

    lag = 1.2

    def __init__(self, server: Prometheus) -> None:
        self._server = server
        self.keys = Keys()
        self.policy = POLICY.model_copy(
            update={"provider": PrometheusProvider(address=server.address)}
        )

    def know(self, own: Pods) -> None:
        """Make the pods targets, labelled as a cluster's Prometheus labels them."""
        labels = {"namespace": "shop"}
        self._server.set_targets([Target(p.reached, {**labels, "pod": p.name}) for p in own.all])


class SecuredCase(PrometheusCase):
    """Asks it through a guard that wants all there is: TLS both ways, a token, a tenant, a path."""

    def __init__(self, server: Prometheus, stack: ExitStack, folder: Path) -> None:
        super().__init__(server)
        authority = Authority(folder, "monitoring")
        guard = Guard(
            headers={"Authorization": "Bearer sesame", "X-Scope-OrgID": "shop"},
            prefix="/metrics/prometheus",
            certificate=authority.issue("prometheus"),
            clients=authority.own.certificate,
        )
        secret = {"token": b"sesame\n", "ca.crt": authority.pem, **authority.issue("us").data()}
        self.keys = Keys(lambda _, __: secret)
        self.policy = POLICY.model_copy(
            update={
                "provider": PrometheusProvider(
                    address=stack.enter_context(Proxy(server.address, guard)).address,
                    bearer_token=from_secret("token"),
                    tenant="shop",
                    tls=Tls(
                        ca=from_secret("ca.crt"),
                        certificate=from_secret("tls.crt"),
                        key=from_secret("tls.key"),
                    ),
                )
            }
        )


def from_secret(key: str) -> FromSecret:
    return FromSecret(secret_ref=SecretRef(name="prometheus", key=key))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with Prometheus(tmp_path_factory.mktemp("prometheus")) as running:
        yield running


@pytest.fixture(params=["scrape", "prometheus", "secured prometheus"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    if request.param == "scrape":
        yield ScrapeCase()
        return
    server = request.getfixturevalue("server")
    with ExitStack() as stack:
        secured = request.param == "secured prometheus"
        yield SecuredCase(server, stack, tmp_path) if secured else PrometheusCase(server)


@pytest.fixture
def own() -> Iterator[Pods]:
    with pods() as found:
        yield found


class Watch:
    """Takes readings one after the other and sums their blocks."""

    def __init__(self, case: Case, own: Pods) -> None:
        self._case, self._own = case, own
        self._counting = Counting()
        self.reading: Reading | None = None
        self.sums: dict[str, Pair] = {}
        self.provider: MetricsProvider = provider(case.policy, ADDRESSES, case.keys)
        case.know(own)

    def look(self) -> Reading:
        """Take one reading into the sums."""
        (outcome,) = self._sample()
        assert isinstance(outcome, Reading), outcome
        self._counting, block = self._counting.take(outcome, signals(self._case.policy))
        for name, counts in (block.pairs if block else {}).items():
            self.sums[name] = self.sums.get(name, Pair()).plus(counts)
        self.reading = outcome
        return outcome

    def until(self, holds: Callable[[], bool]) -> None:
        """Look until something holds."""
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < deadline, f"sums {self.sums}, reading {self.reading}"
            time.sleep(0.1)
            self._look_if_there_is_anything()

    def _look_if_there_is_anything(self) -> None:
        (outcome,) = self._sample()
        if not isinstance(outcome, Missing):
            self.look()

    def _sample(self) -> list[Outcome]:
        ask = Ask(self._case.policy, self._own.query())
        return self.provider.sample([ask], datetime.now(UTC))

    def begin(self, targets: int) -> None:
        """Look until all pods are read: what they counted before is no one's."""
        self.until(lambda: self.reading is not None and len(self.reading.targets) >= targets)

    def reaches(self, signal: str, expected: Pair) -> None:
        """Look until the sums are what happened, and once more, so that it stays so."""
        self.until(lambda: self.sums.get(signal) == expected)
        time.sleep(self._case.lag)
        self.look()
        assert self.sums[signal] == expected


@pytest.fixture
def watch(case: Case, own: Pods) -> Iterator[Callable[[], Watch]]:
    """Give a function that begins to watch the pods there are, once all of them are read."""
    watches: list[Watch] = []

    def begin() -> Watch:
        watches.append(Watch(case, own))
        watches[-1].begin(targets=len(own.all))
        return watches[-1]

    yield begin
    for one in watches:
        one.provider.close()


Begin = Callable[[], Watch]


def test_both_sides_are_counted(own: Pods, watch: Begin) -> None:
    stable, candidate = own.add("stable"), own.add("candidate")
    stable.serve(1000)
    watching = watch()
    stable.serve(80)
    stable.serve(2, code=503)
    candidate.serve(15)
    candidate.serve(5, code=500)
    candidate.serve(1, code=404)
    watching.reaches("errors", pair(5, 21, 2, 82))


def test_pods_of_one_side_are_summed(own: Pods, watch: Begin) -> None:
    pods_ = [own.add("stable") for _ in range(3)]
    own.add("candidate")
    watching = watch()
    for number, pod in enumerate(pods_, start=1):
        pod.serve(10 * number)
    watching.reaches("errors", pair(0, 0, 0, 60))


def test_slow_requests_are_counted_by_bound(own: Pods, watch: Begin) -> None:
    own.add("stable")
    candidate = own.add("candidate")
    watching = watch()
    candidate.serve(10, seconds=0.1)
    candidate.serve(4, seconds=0.6)
    candidate.serve(3, seconds=7)
    watching.reaches("latency>0.25s", pair(7, 17, 0, 0))
    assert watching.sums["latency>1s"] == pair(3, 17, 0, 0)


def test_first_request_and_first_error_of_a_pod_count(own: Pods, watch: Begin) -> None:
    """A counter with labels has no series before its first increment."""
    own.add("stable")
    candidate = own.add("candidate")
    watching = watch()
    candidate.serve(1, code=500)
    watching.reaches("errors", pair(1, 1, 0, 0))


def test_process_that_restarts_counts_on_from_zero(own: Pods, watch: Begin) -> None:
    stable = own.add("stable")
    own.add("candidate")
    stable.serve(100)
    watching = watch()
    stable.serve(20)
    watching.reaches("errors", pair(0, 0, 0, 20))
    stable.restart()
    stable.serve(7)
    watching.reaches("errors", pair(0, 0, 0, 27))


def test_pod_that_goes_takes_nothing_with_it(own: Pods, watch: Begin) -> None:
    stable, leaver = own.add("stable"), own.add("stable")
    own.add("candidate")
    watching = watch()
    stable.serve(10)
    leaver.serve(5)
    watching.reaches("errors", pair(0, 0, 0, 15))
    own.stable.remove(leaver)
    leaver.stop()
    stable.serve(3)
    watching.reaches("errors", pair(0, 0, 0, 18))


def test_pod_that_cannot_be_read_for_a_while_is_not_zero(own: Pods, watch: Begin) -> None:
    stable, candidate = own.add("stable"), own.add("candidate")
    watching = watch()
    stable.serve(10)
    watching.reaches("errors", pair(0, 0, 0, 10))
    candidate.stop()
    stable.serve(10)
    watching.reaches("errors", pair(0, 0, 0, 20))


def test_bound_that_the_histogram_lacks_is_told_and_spoils_nothing_else(
    own: Pods, watch: Begin
) -> None:
    own.add("stable")
    candidate = own.add("candidate", buckets=(0.25, 2.0))
    watching = watch()
    candidate.serve(8)
    watching.reaches("errors", pair(0, 8, 0, 0))
    assert watching.sums["latency>1s"] == Pair()
    assert watching.reading is not None
    assert (
        "has no bucket 1: set bounds of metric latency"
        in (watching.reading.remarks[Track.CANDIDATE])
    )


def test_without_pods_there_is_nothing_to_count(case: Case) -> None:
    asked = provider(case.policy, ADDRESSES, case.keys)
    nobody = TrackQuery("shop", Side("a", "web"), Side("b", "web-candidate"))
    (outcome,) = asked.sample([Ask(case.policy, nobody)], datetime.now(UTC))
    asked.close()
    assert isinstance(outcome, Missing)
