import inspect
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from rollout.kube.cache import Change, ChangeType
from rollout.kube.client import HttpCluster
from rollout.kube.cluster import WatchEvent
from rollout.kube.reflector import BackOff, Reflector
from rollout.resources.writes import Kind, Patch, PatchType
from tests.kube import faulty
from tests.kube.faulty import FaultyServer
from tests.kube.wrapped import Wrapped

SERVICES = "/api/v1/namespaces/shop/services"
QUICK = BackOff(first=0.02, longest=0.1)


def wait(until: Callable[[], object], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


class Followed:
    """A reflector under test, and what it told."""

    def __init__(self, server: FaultyServer, cluster: HttpCluster, **options: object) -> None:
        self.changes: list[Change] = []
        self.server = server
        self.reflector = Reflector(
            cluster,
            Kind.SERVICE,
            "shop",
            self.changes.append,
            back_off=QUICK,
            **options,  # type: ignore[arg-type]
        )

    def names(self) -> list[str]:
        return [thing["metadata"]["name"] for thing in self.reflector.list()]

    def told(self) -> list[tuple[ChangeType, str]]:
        return [(change.type, change.name) for change in self.changes]

    def tries(self) -> int:
        return self.server.count("list") + self.server.count("watch")


@pytest.fixture
def followed(server: FaultyServer, cluster: HttpCluster) -> Iterator[Followed]:
    followed = Followed(server, cluster)
    yield followed
    followed.reflector.stop()


def start(followed: Followed) -> None:
    followed.reflector.start()
    assert followed.reflector.synced.wait(5)
    wait(lambda: followed.server.count("watch"))


def test_what_is_there_and_what_comes_is_told_once(
    server: FaultyServer, followed: Followed
) -> None:
    server.put(f"{SERVICES}/a")
    start(followed)
    server.put(f"{SERVICES}/b")
    server.put(f"{SERVICES}/a", {"spec": {}})
    server.remove(f"{SERVICES}/b")
    wait(lambda: len(followed.changes) == 4)
    assert followed.told() == [
        (ChangeType.ADDED, "a"),
        (ChangeType.ADDED, "b"),
        (ChangeType.MODIFIED, "a"),
        (ChangeType.DELETED, "b"),
    ]
    assert followed.names() == ["a"]
    assert followed.tries() == 2


FAULTS = {
    "dropped at once": faulty.drops,
    "ended at once": faulty.ends_at_once,
    "half an event": faulty.half_an_event,
    "410": faulty.says(410),
    "410 in the stream": faulty.gone_as_event,
    "500": faulty.says(500),
    "403": faulty.says(403),
    "404": faulty.page_not_found,
}


@pytest.mark.parametrize("verb", ["watch", "list"])
@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_makes_it_spin_and_it_heals_when_the_fault_ends(
    server: FaultyServer, followed: Followed, verb: str, fault: str
) -> None:
    server.fault(verb, FAULTS[fault])
    followed.reflector.start()
    time.sleep(0.25)
    assert 2 <= followed.tries() <= 20
    assert followed.reflector.problem
    server.put(f"{SERVICES}/a")
    server.fault(verb, None)
    wait(lambda: followed.names() == ["a"])
    server.put(f"{SERVICES}/b")
    wait(lambda: followed.names() == ["a", "b"])
    wait(lambda: followed.reflector.problem is None)


def test_a_refusing_server_is_asked_seldom_and_found_again(
    server: FaultyServer, followed: Followed
) -> None:
    server.put(f"{SERVICES}/a")
    start(followed)
    server.stop()
    wait(lambda: "refused" in (followed.reflector.problem or ""))
    assert followed.names() == ["a"]
    server.remove(f"{SERVICES}/a")
    server.put(f"{SERVICES}/b")
    server.restart()
    wait(lambda: followed.names() == ["b"])
    wait(lambda: (ChangeType.DELETED, "a") in followed.told())
    assert followed.tries() < 8


def test_a_watch_that_only_stays_open_ends_the_trouble(
    server: FaultyServer, followed: Followed
) -> None:
    server.fault("watch", faulty.says(500))
    followed.reflector.start()
    wait(lambda: followed.reflector.problem)
    server.fault("watch", faulty.stays_silent)
    wait(lambda: followed.reflector.problem is None)


def test_the_wait_that_a_throttling_server_asks_for_is_kept(
    server: FaultyServer, followed: Followed
) -> None:
    server.fault("list", faulty.says(429, retry_after=1))
    followed.reflector.start()
    time.sleep(1.3)
    assert server.count("list") == 2


def test_a_watch_that_lived_its_time_goes_on_where_it_ended(
    server: FaultyServer, cluster: HttpCluster
) -> None:
    followed = Followed(server, cluster, watch_seconds=1)
    start(followed)
    thing = server.put(f"{SERVICES}/a")
    wait(lambda: server.count("watch") == 2)
    second = [seen for seen in server.requests if seen.verb == "watch"][1]
    assert second.query["resourceVersion"] == thing["metadata"]["resourceVersion"]
    assert server.count("list") == 1
    followed.reflector.stop()


def test_a_watch_that_the_server_ends_early_is_followed_by_a_list(
    server: FaultyServer, followed: Followed
) -> None:
    start(followed)
    server.end_watches()
    wait(lambda: server.count("watch") == 2)
    assert server.count("list") == 2


def test_a_server_that_came_back_with_an_older_state_leaves_no_ghosts(
    server: FaultyServer, followed: Followed
) -> None:
    server.put(f"{SERVICES}/ghost")
    start(followed)
    followed.reflector.updated(server.put(f"{SERVICES}/other"))
    server.forget_everything()
    server.end_watches()
    wait(lambda: followed.names() == [])
    server.put(f"{SERVICES}/new")
    wait(lambda: followed.names() == ["new"])


@pytest.mark.parametrize("fault", [faulty.stays_silent, faulty.hangs, faulty.drips])
@pytest.mark.parametrize("verb", ["watch", "list"])
def test_it_stops_at_once_whatever_it_is_waiting_for(
    server: FaultyServer, followed: Followed, verb: str, fault: faulty.Fault
) -> None:
    server.fault(verb, fault)
    followed.reflector.start()
    wait(lambda: server.count(verb))
    began = time.monotonic()
    followed.reflector.stop()
    assert time.monotonic() - began < 0.5
    assert not followed.reflector._thread.is_alive()


def test_it_stops_at_once_while_it_backs_off(server: FaultyServer, cluster: HttpCluster) -> None:
    server.fault("list", faulty.says(429, retry_after=30))
    followed = Followed(server, cluster)
    followed.reflector.start()
    wait(lambda: server.count("list"))
    began = time.monotonic()
    followed.reflector.stop()
    assert time.monotonic() - began < 0.5


def test_a_reflector_that_was_never_started_can_be_stopped(followed: Followed) -> None:
    followed.reflector.stop()
    assert not followed.reflector.synced.is_set()


def test_a_missing_kind_is_reported_once_with_the_fix(
    server: FaultyServer, followed: Followed, capsys: pytest.CaptureFixture[str]
) -> None:
    server.fault("list", faulty.page_not_found)
    followed.reflector.start()
    wait(lambda: server.count("list") >= 4)
    followed.reflector.stop()
    assert "rollout crds | kubectl apply" in (followed.reflector.problem or "")
    assert capsys.readouterr().out.count("cannot follow") == 1


def test_an_own_write_is_seen_at_once_though_the_watch_is_silent(
    server: FaultyServer, cluster: HttpCluster, followed: Followed
) -> None:
    server.put(f"{SERVICES}/a")
    server.fault("watch", faulty.stays_silent)
    start(followed)
    patch = Patch(Kind.SERVICE, "shop", "a", PatchType.MERGE, {"spec": {"x": 1}})
    answer = {**cluster.apply(patch), "kind": "Service"}
    followed.reflector.updated(answer)
    seen = followed.reflector.get("shop", "a")
    assert seen is not None
    assert seen["spec"] == {"x": 1}


def test_an_answer_from_another_namespace_is_not_its_business(followed: Followed) -> None:
    metadata = {"name": "a", "namespace": "bank", "resourceVersion": "999"}
    followed.reflector.updated({"kind": "Service", "metadata": metadata})
    assert followed.names() == []


def test_a_listener_that_fails_does_not_end_it(
    server: FaultyServer, cluster: HttpCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []

    def listen(change: Change) -> None:
        told.append(change.name)
        raise RuntimeError("our bug")

    reflector = Reflector(cluster, Kind.SERVICE, "shop", listen, back_off=QUICK)
    server.put(f"{SERVICES}/a")
    reflector.start()
    wait(lambda: server.count("watch"))
    server.put(f"{SERVICES}/b")
    wait(lambda: told == ["a", "b"])
    reflector.stop()
    assert "our bug" in capsys.readouterr().out


class Kept(Wrapped):
    """A cluster that keeps its watches, so that none is closed by being forgotten."""

    def watch(self, *asked: Any, **options: Any) -> Generator[WatchEvent]:
        self.watched = super().watch(*asked, **options)
        return self.watched


def test_a_watch_that_is_left_before_its_end_is_closed(
    server: FaultyServer, cluster: HttpCluster
) -> None:
    kept = Kept(cluster)

    def listen(change: Change) -> None:
        if change.name == "b":
            reflector.stop(timeout=0)

    reflector = Reflector(kept, Kind.SERVICE, "shop", listen, back_off=QUICK)
    reflector.start()
    wait(lambda: hasattr(kept, "watched"))
    server.put(f"{SERVICES}/b")
    wait(lambda: inspect.getgeneratorstate(kept.watched) == inspect.GEN_CLOSED)
    reflector.stop()


def test_waits_grow_up_to_their_bound_and_never_march_in_step() -> None:
    waits = BackOff(first=1, longest=10)
    assert waits.wait(0) == 0
    for failures, middle in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (1000, 10)]:
        drawn = {waits.wait(failures) for _ in range(50)}
        assert all(middle * 0.5 <= wait <= middle * 1.5 for wait in drawn)
        assert len(drawn) > 40
