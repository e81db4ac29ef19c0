import threading
import time
from collections.abc import Callable, Iterator

import pytest

from rollout.kube.candidate import Candidate
from rollout.kube.client import HttpCluster
from rollout.kube.lease import Durations, Elector, unique_identity
from rollout.resources.writes import Kind
from tests.kube import faulty
from tests.kube.faulty import FaultyServer
from tests.kube.wrapped import Wrapped

QUICK = Durations(lease=1.0, renew=0.5, retry=0.05)


def wait(until: Callable[[], object], seconds: float = 5.0) -> float:
    """Wait for a condition; gives how long it took."""
    began = time.monotonic()
    while not until():
        assert time.monotonic() < began + seconds, "waited in vain"
        time.sleep(0.002)
    return time.monotonic() - began


class Told:
    """An elector under test, and what it told."""

    def __init__(self, cluster: HttpCluster, identity: str) -> None:
        self.told: list[str] = []
        self.elector = Elector(
            cluster,
            "system",
            "controller",
            identity,
            QUICK,
            on_started=lambda: self.told.append("started"),
            on_stopped=lambda: self.told.append("stopped"),
        )
        self.elector.start()


@pytest.fixture
def start(cluster: HttpCluster) -> Iterator[Callable[[str], Told]]:
    started: list[Told] = []

    def start(identity: str) -> Told:
        started.append(Told(cluster, identity))
        return started[-1]

    yield start
    for told in started:
        told.elector.stop(2)


Start = Callable[[str], Told]


def holder(cluster: HttpCluster) -> str:
    spec = cluster.get(Kind.LEASE, "system", "controller")["spec"]
    return str(spec["holderIdentity"])


def test_the_lease_is_given_back_at_the_stop_and_taken_at_once(
    cluster: HttpCluster, start: Start
) -> None:
    a = start("a")
    wait(a.elector.is_leader)
    b = start("b")
    wait(lambda: b.elector.holder == "a")
    a.elector.stop()
    assert not a.elector.is_leader()
    assert a.told == ["started", "stopped"]
    assert wait(b.elector.is_leader) < 0.4  # a tenth of a second, not the second of the lease
    assert holder(cluster) == "b"
    wait(lambda: b.told == ["started"])


def test_each_leadership_has_an_epoch_of_its_own_that_rises(start: Start) -> None:
    told = []
    for identity in ("a", "b", "a"):
        leader = start(identity)
        wait(leader.elector.is_leader)
        told.append(leader.elector.epoch)
        leader.elector.stop()
    assert told == ["0/a", "1/b", "2/a"]


def test_a_lease_that_is_given_back_is_taken_before_the_next_try_is_due(
    server: FaultyServer, cluster: HttpCluster
) -> None:
    a = Elector(cluster, "system", "controller", "a")
    b = Elector(cluster, "system", "controller", "b")
    a.start()
    wait(a.is_leader)
    b.start()
    wait(lambda: server.count("watch"))
    a.stop()
    assert wait(b.is_leader) < 0.5  # by itself it would look every two seconds
    b.stop()


@pytest.mark.parametrize("fault", [faulty.says(403), faulty.drops, faulty.ends_at_once])
def test_a_lease_that_cannot_be_watched_is_asked_for_as_before_and_nobody_spins(
    server: FaultyServer, start: Start, fault: faulty.Fault
) -> None:
    server.fault("watch", fault)
    a = start("a")
    wait(a.elector.is_leader)
    b = start("b")
    time.sleep(0.5)
    assert 1 <= server.count("watch") <= 11
    a.elector.stop()
    assert wait(b.elector.is_leader) < 0.4


def test_a_watch_of_the_lease_does_not_hold_up_the_stop(server: FaultyServer, start: Start) -> None:
    start("a")
    b = start("b")
    wait(lambda: server.count("watch"))
    began = time.monotonic()
    b.elector.stop()
    assert time.monotonic() - began < 0.5
    assert not b.elector._heeds.is_alive()


def test_two_never_lead_at_once(server: FaultyServer, start: Start) -> None:
    both: list[float] = []
    over = threading.Event()
    a, b = start("a"), start("b")

    def look() -> None:
        while not over.is_set():
            if a.elector.is_leader() and b.elector.is_leader():
                both.append(time.monotonic())
            time.sleep(0.0005)

    looking = threading.Thread(target=look)
    looking.start()
    wait(lambda: a.elector.is_leader() or b.elector.is_leader())
    for fault in (faulty.says(500), faulty.drops, faulty.hangs):
        server.fault("patch", fault)
        wait(lambda: not a.elector.is_leader() and not b.elector.is_leader())
        server.fault("patch", None)
        wait(lambda: a.elector.is_leader() or b.elector.is_leader())
    over.set()
    looking.join(5)
    assert both == []


def test_a_killed_leader_is_followed_when_its_lease_is_over(
    cluster: HttpCluster, start: Start
) -> None:
    killed = Candidate(cluster, "system", "controller", "killed", QUICK)
    assert killed.attempt()
    began = time.monotonic()
    b = start("b")
    wait(b.elector.is_leader)
    assert time.monotonic() - began >= 1.0
    assert killed.term() == 0


@pytest.mark.parametrize("fault", [faulty.hangs, faulty.drips])
def test_a_frozen_server_ends_leadership_in_time_and_it_is_told(
    server: FaultyServer, start: Start, fault: faulty.Fault
) -> None:
    a = start("a")
    wait(lambda: a.told == ["started"])
    for verb in ("get", "patch", "create"):
        server.fault(verb, fault)
    assert wait(lambda: not a.elector.is_leader()) < 0.6
    assert wait(lambda: a.told == ["started", "stopped"]) < 0.1
    for verb in ("get", "patch", "create"):
        server.fault(verb, None)
    wait(lambda: a.told == ["started", "stopped", "started"])


def test_a_hung_renewal_does_not_keep_a_leader_alive(cluster: HttpCluster) -> None:
    """The thread that renews never comes back; leadership ends, and is told, all the same."""
    forever, told, hanging = threading.Event(), list[str](), list[bool]()

    def hang() -> None:
        if hanging:
            forever.wait(20)

    stuck = Wrapped(cluster, before=hang)
    elector = Elector(stuck, "system", "c", "a", QUICK, on_stopped=lambda: told.append("stopped"))
    elector.start()
    wait(elector.is_leader)
    hanging.append(True)
    assert wait(lambda: not elector.is_leader()) < 0.6
    assert wait(lambda: told) < 0.1
    forever.set()
    elector.stop()


def test_a_dead_server_ends_leadership_and_a_stop_is_still_quick(
    server: FaultyServer, start: Start
) -> None:
    a = start("a")
    wait(a.elector.is_leader)
    server.stop()
    wait(lambda: not a.elector.is_leader())
    assert "refused" in (a.elector.problem or "")
    began = time.monotonic()
    a.elector.stop(2)
    assert time.monotonic() - began < 0.5
    assert a.told == ["started", "stopped"]


def test_a_stop_breaks_a_call_that_hangs_and_is_bounded(
    server: FaultyServer, cluster: HttpCluster
) -> None:
    for verb in ("get", "create"):
        server.fault(verb, faulty.hangs)
    elector = Elector(cluster, "system", "controller", "a", Durations())
    elector.start()
    wait(lambda: server.count("get"))
    began = time.monotonic()
    elector.stop(2)
    assert time.monotonic() - began < 0.5


def test_work_that_does_not_end_keeps_the_lease(cluster: HttpCluster) -> None:
    """While the work may go on, nobody else may begin."""
    begun, stuck = threading.Event(), threading.Event()

    def work() -> None:
        stuck.wait(10)

    elector = Elector(
        cluster, "system", "controller", "a", QUICK, on_started=begun.set, on_stopped=work
    )
    elector.start()
    wait(begun.is_set)  # a moment after it leads: until then there is no work to wait for
    elector.stop(0.3)
    assert not elector.is_leader()
    assert holder(cluster) == "a"
    stuck.set()


def test_a_failing_callback_is_logged_and_does_not_end_the_elector(
    cluster: HttpCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise RuntimeError("our bug")

    elector = Elector(cluster, "system", "controller", "a", QUICK, on_started=fail)
    elector.start()
    wait(elector.is_leader)
    time.sleep(0.6)  # longer than a renewal lasts
    assert elector.is_leader()
    elector.stop()
    assert "our bug" in capsys.readouterr().out


def test_a_slow_callback_does_not_stop_the_renewals(cluster: HttpCluster) -> None:
    elector = Elector(
        cluster, "system", "controller", "a", QUICK, on_started=lambda: time.sleep(0.8)
    )
    elector.start()
    wait(elector.is_leader)
    time.sleep(0.7)
    assert elector.is_leader()
    elector.stop()


def test_an_elector_that_was_never_started_can_be_stopped(cluster: HttpCluster) -> None:
    elector = Elector(cluster, "system", "controller", "a", QUICK)
    elector.stop()
    assert not elector.is_leader()


def test_a_refused_lease_is_reported_once(
    server: FaultyServer, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    server.fault("get", faulty.says(403, message="no right to leases"))
    a = start("a")
    wait(lambda: server.count("get") >= 4)
    a.elector.stop()
    assert a.elector.problem == "no right to leases"
    assert capsys.readouterr().out.count("no right to leases") == 1


def test_tries_keep_their_distance_whatever_is_answered(server: FaultyServer, start: Start) -> None:
    server.fault("get", faulty.drops)
    start("a")
    time.sleep(0.5)
    assert 5 <= server.count("get") <= 11


def test_no_two_processes_have_one_name() -> None:
    assert len({unique_identity() for _ in range(100)}) == 100
    elector = Elector(HttpCluster.for_server("http://127.0.0.1:1", None), "system", "controller")
    assert elector.identity
