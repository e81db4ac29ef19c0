"""Live changes: they arrive, nobody holds a stream that he may not read, and all of them end."""

import contextlib
import http.client
import itertools
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from httpx_sse import EventSource, ServerSentEvent

from rollout.kube.cache import Change, ChangeType
from rollout.resources.writes import Delete, Kind
from rollout.sandbox.apiserver.faults import Faults
from rollout.sandbox.apiserver.users import User
from rollout.server.settings import Limits
from tests import build
from tests.sandbox.practice import until
from tests.server.rig import Rig, problem

pytestmark = pytest.mark.system
QUICK = Limits(
    known=0.5,
    allowed=0.5,
    heartbeat=0.2,
    recheck=0.3,
    queue=8,
    send=1.0,
    head=1.0,
    body=1.0,
    streams=3,
    connections=20,
)


@pytest.fixture(scope="module")
def quick_one() -> Iterator[Rig]:
    """One API that is impatient, for all tests here."""
    with Rig(limits=QUICK) as rig:
        yield rig


@pytest.fixture
def quick(quick_one: Rig) -> Iterator[Rig]:
    with quick_one.place(*build.shop()) as rig:
        rig.say()
        yield rig


@contextmanager
def stream(
    rig: Rig, path: str = "releases/stream", who: str = "bob", **headers: str
) -> Iterator[Iterator[ServerSentEvent]]:
    """Read a stream."""
    client = rig.client(who)
    with client.stream("GET", f"{rig.root}/{path}", headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-cache"
        yield told(answer)


def told(answer: httpx.Response) -> Iterator[ServerSentEvent]:
    """Read the events of a stream; the reader makes an empty one of each heartbeat."""
    return (event for event in EventSource(answer).iter_sse() if event.data)


def beginning(events: Iterator[ServerSentEvent]) -> list[dict[str, Any]]:
    """Read the present state."""
    states: list[dict[str, Any]] = []
    for event in events:
        if event.event == "synced":
            assert json.loads(event.data) == {"releases": len(states)}
            return states
        assert event.event == "release"
        states.append(json.loads(event.data))
        assert event.id == states[-1]["metadata"]["resourceVersion"]
    raise AssertionError("the stream ended before the state was whole")


def test_a_stream_begins_with_the_present_state(rig: Rig) -> None:
    rig.create(build.release("web-v1", "v1"))
    rig.say("web-v1", "Succeeded")
    with stream(rig) as events:
        assert [one["metadata"]["name"] for one in beginning(events)] == ["web-v1", "web-v2"]
    with stream(rig, "releases/web-v2/stream") as events:
        assert [one["metadata"]["name"] for one in beginning(events)] == ["web-v2"]
    with stream(rig, "releases/stream?rollout=other") as events:
        assert beginning(events) == []


def test_each_change_arrives_whole_and_once(rig: Rig) -> None:
    with stream(rig) as events:
        beginning(events)
        for weight in (20, 50):
            said = rig.say(weight={"asked": weight})
            event = next(events)
            assert json.loads(event.data)["status"]["weight"]["asked"] == weight
            assert event.id == said["metadata"]["resourceVersion"]
        rig.cluster.apply(Delete(Kind.RELEASE, rig.space, "web-v2"))
        event = next(events)
        assert (event.event, json.loads(event.data)) == (
            "deleted",
            {"namespace": rig.space, "name": "web-v2"},
        )


def test_a_stream_of_one_release_is_silent_about_others(rig: Rig) -> None:
    with stream(rig, "releases/web-v2/stream") as events:
        beginning(events)
        rig.create(build.release("web-v3", "v3"))
        rig.say("web-v3", "Pending", message="waits")
        rig.say(message="here")
        assert json.loads(next(events).data)["metadata"]["name"] == "web-v2"


def test_all_namespaces_can_be_followed(rig: Rig) -> None:
    client = rig.client("ana")
    with client.stream("GET", "/api/v1/releases/stream") as answer:
        events = told(answer)
        assert rig.space in {one["metadata"]["namespace"] for one in beginning(events)}


def test_who_comes_back_has_missed_nothing_that_matters(rig: Rig) -> None:
    with stream(rig) as events:
        beginning(events)
    rig.say(phase="Baking")
    said = rig.say(phase="Adopting")
    with stream(rig, **{"Last-Event-ID": "1"}) as events:
        state = beginning(events)[0]
    assert state["status"]["phase"] == "Adopting"
    assert state["metadata"]["resourceVersion"] == said["metadata"]["resourceVersion"]


def test_a_silent_stream_shows_that_it_lives(quick: Rig) -> None:
    with quick.client("bob").stream("GET", f"{quick.root}/releases/stream") as answer:
        lines = (line for line in answer.iter_lines() if line.startswith(":"))
        began = time.monotonic()
        assert [next(lines) for _ in range(3)] == [": heartbeat"] * 3
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("lost", ["token", "right"])
def test_who_may_read_no_more_is_told_and_let_go(quick: Rig, lost: str) -> None:
    guest, tokens = f"guest-without-{lost}", quick.server.tokens
    tokens[guest] = User(guest, rules=tokens["bob"].rules)
    with stream(quick, who=guest) as events:
        beginning(events)
        if lost == "token":
            tokens["another"] = tokens.pop(guest)
        else:
            tokens[guest] = User(guest, rules=())
        last = list(events)[-1]
    assert last.event == "end"
    reason = json.loads(last.data)["reason"]
    assert reason == {"token": "unauthorized", "right": "forbidden"}[lost]


def test_a_cluster_that_is_away_ends_no_stream(quick: Rig) -> None:
    with stream(quick) as events:
        beginning(events)
        quick.server.faults = Faults(status=503, verbs=frozenset({"create"}))
        failed = {"kind": "TokenReview", "answer": "error"}
        asked = quick.count("reviews_total", **failed)
        until(lambda: quick.count("reviews_total", **failed) > asked, "asked in vain")
        quick.server.faults = Faults()
        quick.say(message="back")
        assert json.loads(next(events).data)["status"]["message"] == "back"


MORE_THAN_FITS = 8_000_000
"""Bytes: more than the kernel keeps for a reader that reads nothing; one event is enough."""


def change(number: int, space: str, size: int = 100_000) -> Change:
    """A change as a reflector tells it, with a release that takes room (bytes)."""
    new = {
        **build.release(),
        "metadata": {"name": "web-v2", "namespace": space, "resourceVersion": str(10**6 + number)},
        "status": {"message": "x" * size},
    }
    return Change(Kind.RELEASE, ChangeType.MODIFIED, space, "web-v2", None, new)


def test_a_reader_that_reads_nothing_is_cut_off(quick: Rig) -> None:
    head = (
        f"GET {quick.root}/releases/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer bob\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", quick.api.port), timeout=15) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(head.encode())
        until(lambda: quick.count("streams") == 1, "the stream is open")
        end = time.monotonic() + 15
        for number in itertools.count():
            quick.api.hear(change(number, quick.space, MORE_THAN_FITS))
            if quick.count("streams") == 0:
                break
            assert time.monotonic() < end, "the reader was not cut off"
            time.sleep(0.005)
        open_ones = quick.api._server.server_state.connections
        until(lambda: not open_ones, "the connection is closed on the server's side")
    assert quick.client().get(f"{quick.root}/releases").is_success


def test_a_reader_that_fell_behind_is_told_to_begin_anew(quick: Rig) -> None:
    with stream(quick) as events:
        beginning(events)
        for number in range(200):
            quick.api.hear(change(number, quick.space))
        last = list(events)[-1]
    assert last.event == "end"
    assert json.loads(last.data)["reason"] == "behind"
    assert quick.count("streams_cut_total") >= 1


def test_streams_are_bounded_in_number(quick: Rig) -> None:
    with contextlib.ExitStack() as stack:
        kept = [stack.enter_context(stream(quick)) for _ in range(QUICK.streams)]
        assert all(beginning(events) for events in kept)
        answer = quick.client("bob").get(f"{quick.root}/releases/stream")
        said = problem(answer, 429, "too-many-requests")
        assert said["detail"] == "3 streams are open already"
        assert int(answer.headers["retry-after"]) > 0
    until(lambda: quick.count("streams") == 0, "all streams have ended")


def test_connections_are_bounded_in_number(quick: Rig) -> None:
    client = quick.client("bob")
    with contextlib.ExitStack() as stack:
        for _ in range(QUICK.connections):
            stack.enter_context(socket.create_connection(("127.0.0.1", quick.api.port)))
        answer = client.get(f"{quick.root}/releases")
        said = problem(answer, 429, "too-many-requests")
        assert said["detail"] == "20 connections are open already"
        assert (answer.headers["retry-after"], answer.headers["connection"]) == ("1", "close")
    until(lambda: client.get(f"{quick.root}/releases").is_success, "there is room again")


def test_a_stop_ends_open_streams_at_once(rig: Rig) -> None:
    api = rig.serve()
    client = rig.client("bob", api)
    with client.stream("GET", f"{rig.root}/releases/stream") as answer:
        events = told(answer)
        beginning(events)
        began = time.monotonic()
        api.stop()
        assert time.monotonic() - began < 1.5
        last = list(events)[-1]
    assert (last.event, json.loads(last.data)["reason"]) == ("end", "stopping")
    with pytest.raises(httpx.ConnectError):
        rig.client("bob", api).get(f"{rig.root}/releases")


def until_reset(connection: socket.socket) -> int:
    """Read what is left on a connection; gives the number of bytes before it was dropped."""
    read = 0
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(1 << 20):
            read += len(chunk)
    return read


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_a_client_that_does_not_say_what_it_wants_is_dropped(quick: Rig, said: bytes) -> None:
    with socket.create_connection(("127.0.0.1", quick.api.port), timeout=10) as connection:
        connection.sendall(said)
        began = time.monotonic()
        assert until_reset(connection) == 0
        assert 0.5 < time.monotonic() - began < 5


def test_a_client_that_stops_in_the_middle_of_a_body_is_refused(quick: Rig) -> None:
    def body() -> Iterator[bytes]:
        yield b"{"
        time.sleep(2)
        yield b"}"

    headers = {"content-type": "application/json"}
    answer = quick.client().post(f"{quick.root}/releases", content=body(), headers=headers)
    problem(answer, 408, "too-slow")


def test_a_connection_that_is_kept_waits_for_the_next_request_no_longer(quick: Rig) -> None:
    kept = http.client.HTTPConnection("127.0.0.1", quick.api.port, timeout=10)
    for _ in range(2):
        kept.request("GET", f"{quick.root}/releases", headers={"Authorization": "Bearer ana"})
        answer = kept.getresponse()
        assert (answer.status, len(answer.read()) > 0) == (200, True)
    kept.sock.sendall(b"GET / HT")
    began = time.monotonic()
    assert until_reset(kept.sock) == 0
    assert time.monotonic() - began < 5
    kept.close()
