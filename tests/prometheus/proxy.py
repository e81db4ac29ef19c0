"""A small proxy with a guard in front of a real Prometheus, as people put one there.

It checks headers, TLS client certificates and the path; it remembers what it was asked; and it can
misbehave on demand, which the real one does not.
"""

import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Final, Self, TypeAlias
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.prometheus.certificates import Pair

UPSTREAM_TIMEOUT: Final = 10.0
Misbehaviour: TypeAlias = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    form: Mapping[str, list[str]]

    @property
    def query(self) -> str:
        """The PromQL in it."""
        return self.form["query"][0]


@dataclass
class Guard:
    """What the proxy asks for before it passes a request on."""

    headers: dict[str, str] = field(default_factory=dict)
    prefix: str = ""
    certificate: Pair | None = None
    """Serve TLS with this."""
    clients: Path | None = None
    """Take only clients with a certificate of this authority."""


class Proxy:
    """Stands in front of a Prometheus. Use it as a context."""

    def __init__(self, upstream: str, guard: Guard | None = None) -> None:
        self.guard = guard or Guard()
        self.asked: list[Asked] = []
        self.misbehave: Misbehaviour | None = None
        """Answers in the upstream's place, if set."""
        self._upstream = httpx.Client(base_url=upstream, timeout=UPSTREAM_TIMEOUT)
        self._server = self._make_server()
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def address(self) -> str:
        """Base URL, with the prefix."""
        scheme = "https" if self.guard.certificate else "http"
        return f"{scheme}://127.0.0.1:{self._server.server_port}{self.guard.prefix}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()
        self._upstream.close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        asked = _asked(handler)
        self.asked.append(asked)
        if self.misbehave is not None:
            self.misbehave(handler)
        elif not asked.path.startswith(f"{self.guard.prefix}/api/"):
            say(handler, 404, b"404 page not found", "text/plain")
        elif any(asked.headers.get(k.lower()) != v for k, v in self.guard.headers.items()):
            say(handler, 401, b'{"status": "error", "error": "who are you?"}')
        else:
            self._pass_on(handler, asked)

    def _pass_on(self, handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        path = asked.path.removeprefix(self.guard.prefix)
        form = {name: values[0] for name, values in asked.form.items()}
        found = self._upstream.post(path, data=form)
        say(handler, found.status_code, found.content)

    def _make_server(self) -> "_Server":
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10

            def do_GET(self) -> None:
                proxy.answer(self)

            def do_POST(self) -> None:
                proxy.answer(self)

            def log_message(self, *_: object) -> None:
                """Stay quiet."""

        server = _Server(("127.0.0.1", 0), Handler)
        if self.guard.certificate is not None:
            server.socket = self._tls(self.guard.certificate).wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        return server

    def _tls(self, pair: Pair) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        if self.guard.clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.guard.clients)
        return context


class _Server(ThreadingHTTPServer):
    """Shakes hands in the thread of the connection; who is refused is no news."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that hang up and certificates that are refused are what we test."""


def _asked(handler: BaseHTTPRequestHandler) -> Asked:
    length = int(handler.headers.get("Content-Length") or 0)
    parts = urlsplit(handler.path)
    text = handler.rfile.read(length).decode() or parts.query
    headers = {name.lower(): value for name, value in handler.headers.items()}
    return Asked(handler.command, parts.path, headers, parse_qs(text))


def say(
    handler: BaseHTTPRequestHandler,
    status: int,
    body: bytes,
    kind: str = "application/json",
    **headers: str,
) -> None:
    """Send an answer."""
    with suppress(ConnectionError):
        handler.send_response(status)
        for name, value in {"Content-Type": kind, **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
