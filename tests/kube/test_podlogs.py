"""Logs are read line by line, on from the last line when a connection has broken."""

from collections.abc import Callable, Iterator

import pytest

from rollout.kube.errors import Invalid, Unreachable
from rollout.kube.podlogs import LONGEST, LogRequest, follow_log, log_lines, moment

Query = list[tuple[str, str]]
FOLLOW = LogRequest("shop", "web-1", "web", follow=True, tail=5)


class Node:
    """Gives a log in stretches; each ends as it says."""

    def __init__(self, *stretches: Callable[[], Iterator[bytes]]) -> None:
        self.stretches = list(stretches)
        self.asked: list[dict[str, str]] = []

    def log(self, namespace: str, pod: str, query: Query, seconds: float) -> Iterator[bytes]:
        assert (namespace, pod) == ("shop", "web-1")
        assert seconds > 0
        self.asked.append(dict(query))
        return self.stretches.pop(0)()


def said(*lines: str) -> Callable[[], Iterator[bytes]]:
    return lambda: iter([f"{line}\n".encode() for line in lines])


def broken(*lines: str) -> Callable[[], Iterator[bytes]]:
    def stretch() -> Iterator[bytes]:
        yield from said(*lines)()
        raise Unreachable("broke")

    return stretch


def texts(node: Node, request: LogRequest = FOLLOW) -> list[str]:
    lines = follow_log(node, request, lambda: False, lambda _: None)
    return [line.text for line in lines]


def test_a_followed_log_goes_on_after_its_last_line() -> None:
    node = Node(
        broken("2026-11-26T12:00:00.1Z a", "2026-11-26T12:00:00.15Z b"),
        broken(),
        said(
            "2026-11-26T12:00:00.1Z a",
            "2026-11-26T12:00:00.15Z b",
            "2026-11-26T12:00:00.15000001Z c",
            "2026-11-26T12:00:00.15000001Z d",
        ),
    )
    assert texts(node) == ["a", "b", "c", "d"]
    assert [asked.get("sinceTime") for asked in node.asked] == [
        None,
        *["2026-11-26T12:00:00.15Z"] * 2,
    ]
    assert [asked.get("tailLines") for asked in node.asked] == ["5", None, None]


def test_a_log_that_is_not_followed_is_asked_for_once() -> None:
    with pytest.raises(Unreachable):
        texts(Node(broken("1 a")), LogRequest("shop", "web-1", "web"))


def test_a_refusal_is_no_broken_connection() -> None:
    def refused() -> Iterator[bytes]:
        raise Invalid("no")

    with pytest.raises(Invalid):
        texts(Node(refused))


def test_nothing_is_asked_once_it_is_over() -> None:
    assert list(follow_log(Node(), FOLLOW, lambda: True)) == []


def test_lines_are_whole_however_they_come_in_pieces() -> None:
    parts = [b"2026 o", b"ne\n20", b"26 two\r\n2026 \n2026 th\xff", b"ree"]
    assert [line.text for line in log_lines(parts)] == ["one", "two", "", "th\ufffdree"]


def test_a_line_without_end_comes_in_pieces_of_bounded_size() -> None:
    endless = (b"2026 " + b"x" * 1000 for _ in [0])
    more = (b"x" * 1000 for _ in range(1000))
    pieces = list(log_lines([*endless, *more, b"\n2027 next\n"]))
    assert max(len(piece.text) for piece in pieces) <= LONGEST
    assert "".join(piece.text for piece in pieces[:-1]) == "x" * 1001000
    assert {piece.stamp for piece in pieces[:-1]} == {"2026"}
    assert (pieces[-1].stamp, pieces[-1].text) == ("2027", "next")


def test_moments_are_compared_as_moments() -> None:
    ordered = [
        "2026-11-26T12:00:00Z",
        "2026-11-26T12:00:00.1Z",
        "2026-11-26T14:00:00.15+02:00",
        "2026-11-26T12:00:00.150000001Z",
        "2026-11-26T12:00:01Z",
    ]
    found = list(map(moment, ordered))
    assert found == sorted(set(found))
