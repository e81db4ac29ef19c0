"""HTTP servers that answer as they are told: slow, wrong, or not at all."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TypeAlias
from urllib.parse import parse_qs, urlsplit

Answer: TypeAlias = Callable[[BaseHTTPRequestHandler, dict[str, list[str]]], None]


def say(status: int, body: str, kind: str = "application/json") -> Answer:
    """Give an answer that is always the same."""

    def answer(handler: BaseHTTPRequestHandler, _: dict[str, list[str]]) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.end_headers()
        handler.wfile.write(body.encode())

    return answer


@contextmanager
def answering(answer: Answer, ip: str = "127.0.0.1") -> Iterator[int]:
    """Serve an answer to every GET; give the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self, parse_qs(urlsplit(self.path).query))

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer((ip, 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()
