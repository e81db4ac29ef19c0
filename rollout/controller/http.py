"""`/healthz`, `/readyz` and `/metrics` of the controller."""

import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from prometheus_client import CollectorRegistry, generate_latest

Check = Callable[[], list[str]]
"""Gives sentences about what is wrong; none: all is well."""


class Probes:
    """A small HTTP server on a thread of its own."""

    def __init__(
        self, address: tuple[str, int], healthy: Check, ready: Check, registry: CollectorRegistry
    ) -> None:
        """Bind it. Port 0 takes any free one. Raises OSError when the address is taken."""
        handler = type(
            "Handler",
            (_Handler,),
            {"checks": {"/healthz": healthy, "/readyz": ready}, "registry": registry},
        )
        self._server = ThreadingHTTPServer(address, handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="http"
        )
        self._thread.daemon = True

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    checks: ClassVar[dict[str, Check]]
    registry: ClassVar[CollectorRegistry]
    timeout = 5.0

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._answer(HTTPStatus.OK, generate_latest(self.registry))
        elif self.path in self.checks:
            wrong = self.checks[self.path]()
            status = HTTPStatus.SERVICE_UNAVAILABLE if wrong else HTTPStatus.OK
            self._answer(status, ("\n".join(wrong) or "ok").encode() + b"\n")
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"not found\n")

    def _answer(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Probes come every few seconds: they are not worth a line."""
