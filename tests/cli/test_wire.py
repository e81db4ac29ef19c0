"""Requests to a rollout server: what is sent again, what is said of it, and where no token goes."""

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from rollout.cli.failures import sentence
from rollout.cli.http_wire import PATIENCE, Wire
from rollout.cli.server_errors import ServerNotReady, ServerUnreachable
from rollout.kube.errors import Forbidden, Refused
from tests.server.certificates import certificate

pytestmark = pytest.mark.system
Script = Callable[["Scripted"], None]


class Scripted(BaseHTTPRequestHandler):
    """Answers each request as the next line of a script says; the last one for ever."""

    def do_GET(self) -> None:
        self.server.take()(self)  # type: ignore[attr-defined]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def say(self, status: int, body: str, kind: str = "application/json", **headers: str) -> None:
        """Answer."""
        self.send_response(status)
        for name, value in {"Content-Type": kind, **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())


class Server(ThreadingHTTPServer):
    """A server with a script; it remembers the idempotency keys that it got."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Scripted)
        self.script: list[Script] = []
        self.times: list[float] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def take(self) -> Script:
        self.times.append(time.monotonic())
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


def fine(to: Scripted) -> None:
    to.say(200, json.dumps({"key": to.headers.get("Idempotency-Key", ""), "items": []}))


def reset(to: Scripted) -> None:
    to.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    to.close_connection = True
    to.connection.close()


def problem(kind: str, status: int, **more: Any) -> Script:
    headers = more.pop("headers", {})
    said = {"type": f"urn:rollout:problem:{kind}", "detail": f"it is {kind}", **more}
    return lambda to: to.say(status, json.dumps(said), "application/problem+json", **headers)


def filling(seconds: str) -> Script:
    return problem("unavailable", 503, headers={"Retry_After": seconds})


def uvicorn_is_full(to: Scripted) -> None:
    to.say(503, "Service Unavailable", "text/plain; charset=utf-8")


def proxy(status: int) -> Script:
    return lambda to: to.say(status, "<html>no upstream</html>", "text/html")


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(Server()) as server:
        yield server


@pytest.fixture
def wire(server: Server) -> Wire:
    return Wire(server.url, "t")


PASSING = {
    "reset": reset,
    "filling": filling("0"),
    "throttled": problem("too-many-requests", 429),
    "full": uvicorn_is_full,
    "bad gateway": proxy(502),
    "no endpoints": proxy(503),
    "gateway timeout": proxy(504),
}


@pytest.mark.parametrize("trouble", PASSING.values(), ids=PASSING)
def test_what_passes_by_itself_is_waited_out(server: Server, wire: Wire, trouble: Script) -> None:
    server.script = [trouble, trouble, fine]
    assert wire.get("/rollouts") == {"key": "", "items": []}
    assert len(server.times) == 3


@pytest.mark.parametrize("trouble", PASSING.values(), ids=PASSING)
def test_a_change_is_sent_again_under_the_same_key(
    server: Server, wire: Wire, trouble: Script
) -> None:
    keys: list[str] = []

    def told(to: Scripted) -> None:
        keys.append(to.headers["Idempotency-Key"])
        (fine if len(keys) > 1 else trouble)(to)

    server.script = [told]
    assert wire.post("/x", {"reason": "y"})["key"] == keys[0]
    assert (len(keys), len(set(keys))) == (2, 1)


def test_the_server_says_when_to_ask_again(server: Server, wire: Wire) -> None:
    server.script = [filling("2"), fine]
    wire.get("/rollouts")
    assert 1.9 < server.times[1] - server.times[0] < 4


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (problem("misconfigured", 503), Refused),
        (problem("bug", 500), Refused),
        (problem("forbidden", 403), Forbidden),
        (proxy(404), ServerUnreachable),
        (proxy(200), ServerUnreachable),
    ],
)
def test_what_stays_as_it_is_is_said_at_once(
    server: Server, wire: Wire, answer: Script, kind: type[Exception]
) -> None:
    server.script = [answer]
    with pytest.raises(kind):
        wire.get("/rollouts")
    assert len(server.times) == 1


def test_a_wait_that_is_longer_than_patience_is_not_begun(server: Server, wire: Wire) -> None:
    server.script = [filling("30")]
    with pytest.raises(ServerNotReady) as refused:
        wire.get("/rollouts")
    assert len(server.times) == 1
    assert sentence(refused.value) == ("the rollout server cannot do this now: it is unavailable")


def test_patience_has_an_end(server: Server, wire: Wire) -> None:
    server.script = [uvicorn_is_full]
    began = time.monotonic()
    with pytest.raises(ServerNotReady) as refused:
        wire.get("/rollouts")
    assert PATIENCE - 2 < time.monotonic() - began < PATIENCE + 2
    assert sentence(refused.value) == (
        f"the rollout server cannot do this now: {server.url}/api/v1/rollouts answered 503: the "
        "server is busy, or being started: try again"
    )


def test_who_asks_once_waits_for_nothing(server: Server, wire: Wire) -> None:
    server.script = [uvicorn_is_full]
    with pytest.raises(ServerNotReady):
        wire.once(1.0).get("/rollouts")
    server.script = [lambda _: time.sleep(2)]
    began = time.monotonic()
    with pytest.raises(ServerUnreachable):
        wire.once(0.5).get("/rollouts")
    assert time.monotonic() - began < 1.5
    assert len(server.times) == 2


def test_a_server_that_nobody_vouches_for_is_said_at_once(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(tmp_path))
    began = time.monotonic()
    with serving(Server()) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        with pytest.raises(ServerUnreachable, match="CERTIFICATE_VERIFY_FAILED"):
            Wire(server.url.replace("http", "https"), "t").get("/rollouts")
    assert time.monotonic() - began < 5


def test_the_end_of_a_line_is_no_part_of_a_token(server: Server) -> None:
    said = list[str]()

    def told(to: Scripted) -> None:
        said.append(to.headers["Authorization"])
        fine(to)

    server.script = [told]
    Wire(server.url, "s3cret\r\n").get("/rollouts")
    assert said == ["Bearer s3cret"]


@pytest.mark.parametrize("token", ["s3cret\nmore", "s3crét", "s3cret more", "s3cret\x00"])
def test_what_is_no_token_is_said_without_it(token: str) -> None:
    with pytest.raises(ValueError, match="ROLLOUT_TOKEN") as refused:
        Wire("http://127.0.0.1:8080", token)
    assert "s3cr" not in (sentence(refused.value) or "")
    assert "kubectl create token NAME" in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://rollout.example.com",
        "http://127.0.0.1:8080",
        "http://127.9.9.9",
        "http://[::1]:8080",
        "http://localhost:8080",
    ],
)
def test_a_token_goes_where_nobody_reads_it(url: str) -> None:
    assert Wire(url, "t")


@pytest.mark.parametrize(
    "url",
    [
        "http://rollout.example.com",
        "http://10.0.0.1:8080",
        "http://127.0.0.1.example.com",
        "http://127.0.0.1@example.com",
        "HTTP://example.com",
    ],
)
def test_a_token_does_not_go_where_others_can_read_it(url: str) -> None:
    with pytest.raises(ValueError, match="your token could be read on the way") as refused:
        Wire(url, "t")
    assert "write https://, or run `kubectl port-forward -n rollout-system" in str(refused.value)
    assert "--insecure-http (ROLLOUT_INSECURE_HTTP=1)" in str(refused.value)
    assert Wire(url, "t", insecure=True)
