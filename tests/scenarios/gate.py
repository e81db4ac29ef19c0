"""A gate between a controller and its API server, that closes behind a write of one's choice.

What a person does "after the third write of Promoting" cannot be timed from outside. So the
controller speaks to the server through this proxy, which counts its writes by the phase that its
own status said last, and holds everything that comes after the chosen one until it is opened.
Leases and events are no steps of a release: they are neither counted nor held.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import create_default_context
from typing import Any, Final, Self
from urllib.parse import urlsplit

REPLACED: Final = frozenset(
    {"authorization", "connection", "transfer-encoding", "content-length", "host"}
)
UNCOUNTED: Final = frozenset({"leases", "events", "rollouts"})
SECONDS: Final = 600.0
"""Longer than any watch that a controller asks for."""


@dataclass(frozen=True)
class Write:
    """One write that was let through, and the phase that it belongs to."""

    phase: str
    name: str


@dataclass(frozen=True)
class Asked:
    """A request, read to its end."""

    method: str
    path: str
    body: bytes

    @property
    def counted(self) -> bool:
        """Whether it is a step of a release."""
        return self.method != "GET" and self.resource not in UNCOUNTED

    @property
    def resource(self) -> str:
        """Plural of the kind."""
        return self._parts[0]

    @property
    def name(self) -> str:
        """What is done to what."""
        if self.resource == "releases":
            return f"{self.method.lower()} releases"
        named = self._parts[1] if len(self._parts) > 1 else self._json()["metadata"]["name"]
        return f"{self.method.lower()} {self.resource}/{named}"

    @property
    def status(self) -> dict[str, Any] | None:
        """Status of a release that it writes, if it writes one."""
        if self.resource != "releases" or not urlsplit(self.path).path.endswith("/status"):
            return None
        values = [operation["value"] for operation in self._json() if operation["op"] == "add"]
        found: dict[str, Any] = values[0]
        return found

    def _json(self) -> Any:
        return json.loads(self.body)

    @property
    def _parts(self) -> list[str]:
        path = urlsplit(self.path).path
        return path.partition("/namespaces/")[2].split("/")[1:] or [""]


class Gate:
    """The proxy. Use as a context manager."""

    def __init__(self, url: str, token: str, ca_file: str | None) -> None:
        self._upstream, self._token = urlsplit(url), token
        self._tls = create_default_context(cafile=ca_file) if ca_file else None
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._open.set()
        self._hold: tuple[str, int] | None = None
        self._before: tuple[str, str] | None = None
        self._state: tuple[str, bool] = ("", False)
        self.written: list[Write] = []
        self.held: list[str] = []
        """Writes that have waited, in order."""
        handler = type("Handler", (_Handler,), {"gate": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        """Where a controller reaches the server through it."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def close_after(self, phase: str, write: int) -> None:
        """Close behind this write of this phase: 1 is the one that enters it, 0 is none at all."""
        self._hold = (phase, write)
        if write == 0:
            self._open.clear()

    def close_before(self, phase: str, name: str) -> None:
        """Close in front of the first write of this name in this phase."""
        self._before = (phase, name)

    @property
    def closed(self) -> bool:
        """Whether it has closed."""
        return not self._open.is_set()

    def open(self) -> None:
        """Let through what waits, and all that comes."""
        self._hold = self._before = None
        self._open.set()

    def names(self, phase: str) -> list[str]:
        """Say what was written in a phase, in order."""
        return [write.name for write in self.written if write.phase == phase]

    def pass_on(self, asked: Asked, headers: dict[str, str]) -> tuple[HTTPConnection, HTTPResponse]:
        """Send a request on, when the gate is open; gives the answer, its body still unread."""
        if asked.counted:
            self._await_opening(asked)
        connection = self._connect()
        connection.request(asked.method, asked.path, asked.body or None, headers=headers)
        answer = connection.getresponse()
        if asked.counted and answer.status < 300:
            self._count(asked)
        return connection, answer

    def _await_opening(self, asked: Asked) -> None:
        if (self._state[0], asked.name) == self._before:
            self._open.clear()
        if self._open.is_set():
            return
        self.held.append(asked.name)
        self._open.wait(SECONDS)

    def headers(self, given: Iterator[tuple[str, str]]) -> dict[str, str]:
        """Return the headers that go on, with the right to write."""
        kept = {name: value for name, value in given if name.lower() not in REPLACED}
        return {**kept, "Authorization": f"Bearer {self._token}"}

    def _connect(self) -> HTTPConnection:
        host, port = str(self._upstream.hostname), self._upstream.port
        if self._tls is None:
            return HTTPConnection(host, port, timeout=SECONDS)
        return HTTPSConnection(host, port, timeout=SECONDS, context=self._tls)

    def _count(self, asked: Asked) -> None:
        with self._lock:
            name, status = asked.name, asked.status
            if status is not None:
                state = (str(status["phase"]), bool(status.get("committed")))
                if state == self._state:
                    return
                name = "commit" if state[1] > self._state[1] else "enter"
                self._state = state
            self.written.append(Write(self._state[0], name))
            phase = self._state[0]
            if self._hold == (phase, len(self.names(phase))):
                self._open.clear()


class _Handler(BaseHTTPRequestHandler):
    """Passes one request on and streams its answer back."""

    protocol_version = "HTTP/1.1"
    gate: Gate

    def do_GET(self) -> None:
        """Pass a request on."""
        length = int(self.headers.get("Content-Length") or 0)
        asked = Asked(self.command, self.path, self.rfile.read(length))
        try:
            connection, answer = self.gate.pass_on(
                asked, self.gate.headers(iter(self.headers.items()))
            )
        except (OSError, HTTPException):
            self.close_connection = True
            return
        with closing(connection):
            self._give_back(answer)

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Do the same for every method of HTTP."""
        if name.startswith("do_"):
            return self.do_GET
        raise AttributeError(name)

    def _give_back(self, answer: HTTPResponse) -> None:
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in REPLACED:
                self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while data := answer.read1(65536):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
            self.wfile.write(b"0\r\n\r\n")
        except (OSError, HTTPException):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing: the controller's log tells enough."""
