"""Many logs at once: in order, bounded, joined by pods that come and left by pods that go."""

import threading
from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import Any

import pytest

from rollout.commands.ops.family import Member
from rollout.commands.ops.following import LINES, MOST, Follower, Wish, read_logs
from rollout.commands.refusal import CommandRefusedError
from rollout.kube.errors import ClusterError, Forbidden, NotFound, Refused, ServerFault, Unreachable
from rollout.translation.sides import Side

WISH = Wish("shop")
Query = list[tuple[str, str]]
Log = Callable[[dict[str, str]], Iterator[bytes]]


def member(name: str, side: Side = Side.STABLE, restarts: int = 0) -> Member:
    containers = [{"name": "web"}, {"name": "proxy"}]
    statuses = [{"name": "web", "restartCount": restarts}]
    metadata = {"name": name, "uid": name}
    spec = {"containers": containers}
    return Member(
        {"metadata": metadata, "spec": spec, "status": {"containerStatuses": statuses}}, side
    )


class Node:
    """Gives logs by pod, and notes what was asked."""

    def __init__(self, **logs: Log) -> None:
        self.logs = logs
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.interrupted: list[int] = []

    def log(self, namespace: str, pod: str, query: Query, seconds: float) -> Iterator[bytes]:
        assert (namespace, seconds > 0) == ("shop", True)
        self.asked.append((pod, dict(query)))
        return self.logs[pod](dict(query))

    def interrupt(self, thread_id: int) -> None:
        self.interrupted.append(thread_id)


def lines(*said: str) -> Log:
    return lambda _: (f"2026-11-26T12:00:{line}\n".encode() for line in said)


def refused(error: Exception) -> Log:
    def log(_: dict[str, str]) -> Iterator[bytes]:
        raise error

    return log


def in_turn(*logs: Log) -> Log:
    left = iter(logs)

    def log(query: dict[str, str]) -> Iterator[bytes]:
        return next(left)(query)

    return log


def test_lines_of_all_pods_come_in_the_order_of_their_moments() -> None:
    node = Node(a=lines("01Z one", "04.5Z four"), b=lines("02Z two", "04.25Z three"))
    found = read_logs(node, [member("a"), member("b", Side.CANDIDATE)], WISH, pytest.fail)
    assert [(said.side.value, said.line.text) for said in found] == [
        ("stable", "one"),
        ("candidate", "two"),
        ("candidate", "three"),
        ("stable", "four"),
    ]


def test_a_pod_without_a_log_is_noted_and_the_others_are_read() -> None:
    waits = Refused("container is waiting to start", status=400)
    node, notes = Node(a=refused(waits), b=lines("01Z one")), list[str]()
    found = list(read_logs(node, [member("a"), member("b")], WISH, notes.append))
    assert [said.pod for said in found] == ["b"]
    assert notes == ["stable a: container is waiting to start"]


@pytest.mark.parametrize("away", [ServerFault("dial tcp: i/o timeout"), Unreachable("timed out")])
def test_a_node_that_is_away_hides_no_log_of_another(away: ClusterError) -> None:
    node, notes = Node(a=refused(away), b=lines("01Z one"), c=refused(away)), list[str]()
    found = read_logs(node, [member("a"), member("b"), member("c")], WISH, notes.append)
    assert [said.pod for said in found] == ["b"]
    assert notes == [f"stable a: {away}", f"stable c: {away}"]


def test_what_is_not_allowed_is_no_note() -> None:
    with pytest.raises(Forbidden):
        list(read_logs(Node(a=refused(Forbidden("no"))), [member("a")], WISH, pytest.fail))


def test_too_many_pods_and_a_container_that_is_not_there_are_refused() -> None:
    many = [member(str(n)) for n in range(MOST + 1)]
    with pytest.raises(CommandRefusedError, match=f"{MOST + 1} pods are meant, and at most {MOST}"):
        list(read_logs(Node(), many, WISH, pytest.fail))
    with pytest.raises(CommandRefusedError, match=r"no such container \(it has: web, proxy\)"):
        list(read_logs(Node(), many[:1], Wish("shop", container="log"), pytest.fail))


def follow(node: Node, *looks: list[Member], take: int) -> list[tuple[str, str]]:
    """Follow through several looks at the pods; the last one stays."""
    left = iter(looks)
    last = list[list[Member]]()

    def look() -> list[Member]:
        last[:] = [next(left, last[0] if last else [])]
        return last[0]

    follower = Follower(node, look, WISH)
    said = follower.lines()
    found = [(one.pod, one.line.text) for one in islice(said, take)]
    said.close()
    return found


def test_a_pod_that_comes_later_is_followed_from_its_beginning() -> None:
    node = Node(a=lines("01Z old"), b=lines("02Z new"))
    assert follow(node, [member("a")], [member("a"), member("b")], take=2) == [
        ("a", "old"),
        ("b", "new"),
    ]
    assert [pod for pod, _ in node.asked] == ["a", "b"], "none is read twice"


def test_pods_that_come_when_there_is_no_room_are_named_once() -> None:
    first = [member(f"a{n}") for n in range(MOST)]
    late = [*first, member("late"), member("later")]
    open_ = threading.Event()

    def waits(_: dict[str, str]) -> Iterator[bytes]:
        yield b"2026-11-26T12:00:01Z one\n"
        open_.wait(10)

    node = Node(**{f"a{n}": waits for n in range(MOST)}, late=lines("02Z two"))
    looks, notes = iter((first, late, late)), list[str]()
    end = [*first[:-1], late[MOST]]
    follower = Follower(node, lambda: next(looks, end), WISH, notes.append)
    said = follower.lines()
    assert len(list(islice(said, MOST))) == MOST
    threading.Timer(2.5, open_.set).start()
    assert next(said).pod == "late", "it is followed as soon as there is room"
    said.close()
    (note,) = notes
    assert note.startswith(f"not followed: late, later, because at most {MOST} logs are read")


def test_a_container_that_begins_anew_is_read_on() -> None:
    node = Node(a=in_turn(lines("01Z first"), lines("01Z first", "02Z second")))
    found = follow(node, [member("a")], [member("a", restarts=1)], take=2)
    assert found == [("a", "first"), ("a", "second")]
    assert node.asked[1][1]["sinceTime"] == "2026-11-26T12:00:01Z"


def test_a_pod_that_waits_to_start_is_asked_again_and_one_that_has_gone_is_no_matter() -> None:
    late = in_turn(refused(Refused("waiting", status=400)), lines("03Z here"))
    node = Node(a=late, b=refused(NotFound("gone")))
    assert follow(node, [member("a"), member("b")], [member("a")], take=1) == [("a", "here")]


def test_what_is_not_allowed_ends_it() -> None:
    with pytest.raises(Forbidden):
        follow(Node(a=refused(Forbidden("no"))), [member("a")], take=1)


def test_a_cluster_that_is_away_for_a_moment_ends_nothing() -> None:
    away = iter((None, Unreachable("away")))
    found = [member("a")]

    def look() -> list[Member]:
        error = next(away, None)
        if error is not None:
            raise error
        found.append(member("b"))
        return found

    node = Node(a=lines("01Z one"), b=lines("02Z two"))
    said = Follower(node, look, WISH).lines()
    assert {one.pod for one in islice(said, 2)} == {"a", "b"}
    said.close()


def test_nobody_reads_ahead_without_bound() -> None:
    given = count()

    def endless(_: dict[str, str]) -> Iterator[bytes]:
        return (b"2026-11-26T12:00:00Z %d\n" % next(given) for _ in count())

    follower = Follower(Node(a=endless), lambda: [member("a")], WISH)
    said = follower.lines()
    next(said)
    reader: Any = next(iter(follower._threads.values()))
    reader.join(0.5)
    assert reader.is_alive(), "it waits for us"
    assert next(given) < LINES + 10
    said.close()
    reader.join(5)
    assert not reader.is_alive()
    assert threading.active_count() < 10
