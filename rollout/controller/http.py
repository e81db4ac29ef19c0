"""`/healthz`, `/readyz` and `/metrics`: what the kubelet and Prometheus ask."""

import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, TypeAlias

from prometheus_client import CONTENT_TYPE_LATEST

Check: TypeAlias = Callable[[], list[str]]
"""Gives sentences about what is wrong; none: all is well."""

Answer: TypeAlias = tuple[HTTPStatus, str, bytes]
"""Status, content type, body."""

PLAIN: Final = "text/plain; charset=utf-8"
SECONDS: Final = 5.0
"""Longest time for a request: who is slower is sent away."""


class Probes:
    """A small HTTP server on a thread of its own."""

    def __init__(
        self, address: tuple[str, int], healthy: Check, ready: Check, metrics: Callable[[], bytes]
    ) -> None:
        """Bind it; port 0 takes any free one. Raises OSError when the address is taken."""
        self._server = _Server(address, _Handler)
        self._server.pages = {
            "/healthz": lambda: _checked(healthy),
            "/readyz": lambda: _checked(ready),
            "/metrics": lambda: (HTTPStatus.OK, CONTENT_TYPE_LATEST, metrics()),
        }
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="http", daemon=True
        )

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        if self._thread.ident is not None:
            self._server.shutdown()
        self._server.server_close()


def _checked(check: Check) -> Answer:
    wrong = check()
    status = HTTPStatus.SERVICE_UNAVAILABLE if wrong else HTTPStatus.OK
    return status, PLAIN, ("\n".join(wrong) or "ok").encode() + b"\n"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    pages: Mapping[str, Callable[[], Answer]]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = SECONDS

    def do_GET(self) -> None:
        page = self.server.pages.get(self.path.partition("?")[0])
        status, content_type, body = page() if page else _MISSING
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing: probes come every few seconds."""


_MISSING: Final[Answer] = (HTTPStatus.NOT_FOUND, PLAIN, b"there is no such page\n")
