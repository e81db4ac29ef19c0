from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from rollout.kube.candidate import Candidate, Durations
from rollout.kube.client import HttpCluster
from rollout.kube.errors import (
    ClusterError,
    Conflict,
    Forbidden,
    NotFound,
    ServerFault,
    Unreachable,
)
from rollout.resources.writes import Kind
from tests.kube import faulty
from tests.kube.faulty import FaultyServer
from tests.kube.wrapped import Wrapped

LEASES = "/apis/coordination.k8s.io/v1/namespaces/system/leases"
LEASE = f"{LEASES}/controller"


@dataclass
class Clock:
    """Time of one test, moved by hand."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock()


Make = Callable[..., Candidate]


@pytest.fixture
def make(cluster: HttpCluster, clock: Clock) -> Make:
    def make(identity: str, **hooks: Any) -> Candidate:
        own = Wrapped(cluster, **hooks)
        durations = Durations()
        return Candidate(
            own, "system", "controller", identity, durations, clock=clock, now=clock.now
        )

    return make


def spec(cluster: HttpCluster) -> dict[str, Any]:
    found: dict[str, Any] = cluster.get(Kind.LEASE, "system", "controller")["spec"]
    return found


def test_the_first_one_creates_the_lease_and_leads(
    make: Make, cluster: HttpCluster, clock: Clock
) -> None:
    a = make("a")
    assert (a.term(), a.valid_for()) == (0, 0)
    assert a.attempt()
    assert (a.term(), a.valid_for()) == (1, 10)
    assert spec(cluster) == {
        "holderIdentity": "a",
        "leaseDurationSeconds": 15,
        "acquireTime": clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "renewTime": clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "leaseTransitions": 0,
    }


def test_a_renewal_is_one_call_and_keeps_the_term(
    make: Make, server: FaultyServer, clock: Clock, cluster: HttpCluster
) -> None:
    a = make("a")
    a.attempt()
    acquired = spec(cluster)["acquireTime"]
    before = len(server.requests)
    clock.seconds += 2
    assert a.attempt()
    assert len(server.requests) - before == 1
    assert (a.term(), a.valid_for()) == (1, 10)
    assert spec(cluster)["acquireTime"] == acquired
    assert spec(cluster)["leaseTransitions"] == 0


def test_the_second_one_waits_as_long_as_the_first_renews(make: Make, clock: Clock) -> None:
    a, b = make("a"), make("b")
    for _ in range(20):
        assert a.attempt()
        assert not b.attempt()
        clock.seconds += 9


def test_a_leader_that_was_killed_is_followed_after_the_lease_and_never_before(
    make: Make, clock: Clock, cluster: HttpCluster
) -> None:
    a, b = make("a"), make("b")
    a.attempt()
    clock.seconds += 3
    assert not b.attempt()  # sees the lease for the first time: counts from here
    clock.seconds += 14.9
    assert not b.attempt()
    assert not a.term()
    clock.seconds += 0.2
    assert b.attempt()
    assert spec(cluster)["holderIdentity"] == "b"
    assert spec(cluster)["leaseTransitions"] == 1


def test_leadership_ends_by_the_clock_alone(make: Make, clock: Clock) -> None:
    a = make("a")
    a.attempt()
    clock.seconds += 9.999
    assert a.term() == 1
    clock.seconds += 0.001
    assert (a.term(), a.valid_for()) == (0, 0)


def test_leadership_counts_from_before_the_request(make: Make, clock: Clock) -> None:
    def slow() -> None:
        clock.seconds += 4

    a = make("a", after=slow)
    assert a.attempt()
    assert a.valid_for() == 6


def test_a_renewal_that_took_longer_than_the_lease_lasts_is_worth_nothing(
    make: Make, clock: Clock
) -> None:
    def hang() -> None:
        clock.seconds += 12

    a = make("a", before=hang)
    assert not a.attempt()
    assert a.term() == 0


def test_leading_again_after_a_gap_is_a_new_term(make: Make, clock: Clock) -> None:
    a = make("a")
    a.attempt()
    clock.seconds += 10
    assert a.attempt()
    assert a.term() == 2


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faulty.says(500), ServerFault),
        (faulty.says(403), Forbidden),
        (faulty.says(409), Conflict),
        (faulty.drops, Unreachable),
    ],
)
def test_any_error_is_a_failed_try_that_neither_ends_nor_prolongs(
    make: Make, server: FaultyServer, clock: Clock, fault: faulty.Fault, error: type[ClusterError]
) -> None:
    a = make("a")
    a.attempt()
    server.fault("patch", fault)
    clock.seconds += 4
    with pytest.raises(error):
        a.attempt()
    assert a.valid_for() == 6
    server.fault("patch", None)
    assert a.attempt()
    assert (a.term(), a.valid_for()) == (1, 10)


def test_a_lost_answer_to_a_renewal_is_found_out_by_reading(
    make: Make, server: FaultyServer, clock: Clock
) -> None:
    """The renewal was carried out, its answer was lost: the next try must not conflict."""
    answers = iter([True])

    def lose() -> None:
        if next(answers, False):
            raise Unreachable("lost")

    a = make("a")
    a.attempt()
    a._cluster.after = lose  # type: ignore[attr-defined]
    with pytest.raises(Unreachable):
        a.attempt()
    clock.seconds += 2
    assert a.attempt()
    assert a.term() == 1
    assert server.count("patch") == 2


def test_of_two_that_try_at_once_one_wins(make: Make, clock: Clock, cluster: HttpCluster) -> None:
    a, c = make("a"), make("c")
    a.attempt()
    b = make("b", before=c.attempt)
    assert not b.attempt()
    assert not c.attempt()
    clock.seconds += 20
    with pytest.raises(Conflict):
        b.attempt()
    assert (b.term(), c.term()) == (0, 1)
    assert spec(cluster)["holderIdentity"] == "c"


def test_of_two_that_create_at_once_one_wins(make: Make) -> None:
    c = make("c")
    b = make("b", before=c.attempt)
    with pytest.raises(ClusterError):
        b.attempt()
    assert (b.term(), c.term()) == (0, 1)


def test_clocks_of_machines_are_never_compared(cluster: HttpCluster, server: FaultyServer) -> None:
    """A wall clock in another year neither steals nor holds a lease."""
    server.put(
        LEASE,
        {
            "spec": {
                "holderIdentity": "a",
                "leaseDurationSeconds": 15,
                "renewTime": "2001-01-01T00:00:00.000000Z",
            }
        },
    )
    clock = Clock()
    b = Candidate(cluster, "system", "controller", "b", Durations(), clock=clock)
    assert not b.attempt()
    clock.seconds += 15.1
    server.put(LEASE, {"spec": {"holderIdentity": "a", "leaseDurationSeconds": 15}})
    assert not b.attempt()  # written since, though it claims no time at all
    clock.seconds += 15.1
    assert b.attempt()


def test_a_released_lease_is_taken_at_the_next_try(
    make: Make, clock: Clock, cluster: HttpCluster
) -> None:
    a, b = make("a"), make("b")
    a.attempt()
    assert not b.attempt()
    a.release(1)
    assert a.term() == 0
    assert spec(cluster)["holderIdentity"] == ""
    clock.seconds += 0.01
    assert b.attempt()
    assert spec(cluster)["leaseTransitions"] == 1


def test_a_lease_of_another_is_not_released(make: Make, clock: Clock, cluster: HttpCluster) -> None:
    a, b = make("a"), make("b")
    a.attempt()
    b.attempt()
    clock.seconds += 16
    b.attempt()
    a.release(1)
    assert spec(cluster)["holderIdentity"] == "b"


def test_who_retired_never_leads_again(make: Make) -> None:
    a = make("a")
    a.attempt()
    a.retire()
    assert a.term() == 0
    assert not a.attempt()
    assert a.term() == 0


def test_a_lease_deleted_by_hand_does_not_make_a_second_leader(
    make: Make, server: FaultyServer, clock: Clock
) -> None:
    a, b = make("a"), make("b")
    a.attempt()
    assert not b.attempt()
    server.remove(LEASE)
    clock.seconds += 5
    assert not b.attempt()  # a may lead for another five seconds
    with pytest.raises(NotFound):
        a.attempt()
    assert a.attempt()
    assert not b.attempt()


def test_a_server_without_leases_is_an_error_and_not_a_free_lease(
    make: Make, server: FaultyServer
) -> None:
    server.fault("get", faulty.page_not_found)
    with pytest.raises(NotFound):
        make("a").attempt()
    assert server.count("create") == 0


@pytest.mark.parametrize("wrong", [(10, 10, 2), (15, 2, 2), (15, 10, 0), (5, 10, 2)])
def test_durations_in_the_wrong_order_are_refused(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="0 < retry < renew < lease"):
        Durations(*wrong)


def test_a_call_is_bounded_so_that_two_fit_before_the_end() -> None:
    assert Durations().call * 2 <= Durations().renew
