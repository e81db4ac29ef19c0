"""What the pods of the fleet would count, on one page for a real Prometheus to scrape."""

import threading
import time
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

RATE: Final = 40.0
"""Requests per second of each pod; enough that two blocks of a candidate decide."""

Sides = Callable[[], Iterable[tuple[str, str, bool]]]
"""Gives namespace, pod, and whether it is a candidate's."""


class Exporter:
    """Counts requests by the clock. `bad` makes half of the candidates' answers errors."""

    def __init__(self, sides: Sides) -> None:
        self._sides = sides
        self._counts: dict[tuple[str, str], list[float]] = {}
        self._last = time.monotonic()
        self.bad = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = outer.page().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def address(self) -> str:
        """Where Prometheus scrapes it."""
        return f"127.0.0.1:{self._server.server_address[1]}"

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
        self._server.server_close()

    def page(self) -> str:
        """Give the counters of all pods as of now."""
        now = time.monotonic()
        passed, self._last = now - self._last, now
        lines = ["# TYPE http_requests_total counter"]
        for namespace, pod, candidate in self._sides():
            good, bad = self._grown(namespace, pod, passed, candidate=candidate)
            labels = f'namespace="{namespace}",pod="{pod}"'
            lines.append(f'http_requests_total{{{labels},code="200"}} {good:.0f}')
            lines.append(f'http_requests_total{{{labels},code="500"}} {bad:.0f}')
        return "\n".join(lines) + "\n"

    def _grown(
        self, namespace: str, pod: str, passed: float, *, candidate: bool
    ) -> tuple[float, float]:
        counts = self._counts.setdefault((namespace, pod), [0.0, 0.0])
        share = 0.5 if self.bad and candidate else 0.0
        counts[0] += RATE * passed * (1 - share)
        counts[1] += RATE * passed * share
        return counts[0], counts[1]
