"""A small HTTP/1.1 server of which dozens run on two cores, and that stops in the hardest way.

Written on `asyncio.Protocol` for two reasons: a web framework costs a pod several times the CPU
per request, and the practice cluster needs a server that closes its listener *and* its idle
connections the moment it is told to stop. Real servers do that, it is what loses requests when
traffic is still on the way, and so it is what the order of a release is tested against.
"""

import asyncio
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from rollout.sandbox.service.behaviour import (
    DIALLED_HEADER,
    VERSION_HEADER,
    Answer,
    Behaviour,
    Metrics,
)

_HEAD_LIMIT: Final = 64 * 1024
_BODY_LIMIT: Final = 16 * 1024 * 1024


class MalformedRequestError(ValueError):
    """A request that this server does not read; the connection is closed after a 400."""


@dataclass(frozen=True)
class Request:
    """Head of a request. `size` is the whole request in bytes, body included."""

    method: str
    path: str
    keep_alive: bool
    size: int


def parse(buffer: bytes | bytearray) -> Request | None:
    """Read the request at the head of `buffer`; None when it is not complete yet.

    Raises MalformedRequestError for chunked bodies, oversize and nonsense.
    """
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        if len(buffer) > _HEAD_LIMIT:
            raise MalformedRequestError("head of the request is over 64 KiB")
        return None
    lines = bytes(buffer[:end]).decode("latin-1").split("\r\n")
    request = _request(lines[0], _headers(lines[1:]), end + 4)
    return request if len(buffer) >= request.size else None


def _headers(lines: list[str]) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _request(line: str, headers: dict[str, str], head: int) -> Request:
    try:
        method, path, protocol = line.split(" ")
        body = int(headers.get("content-length", "0"))
    except ValueError as cause:
        raise MalformedRequestError(f"cannot read the request {line!r}") from cause
    if "transfer-encoding" in headers or not 0 <= body <= _BODY_LIMIT:
        raise MalformedRequestError("bodies are read by content-length, up to 16 MiB")
    wish = headers.get("connection", "").lower()
    keep_alive = wish != "close" if protocol == "HTTP/1.1" else wish == "keep-alive"
    return Request(method, path, keep_alive, head + body)


class Server:
    """Listens, answers, and when stopped lets only the requests in flight finish."""

    def __init__(self, version: str, behaviour: Behaviour, metrics: Metrics) -> None:
        self._headers = f"{VERSION_HEADER}: {version}\r\n"
        self.behaviour = behaviour
        self._metrics = metrics
        self._connections: set[Connection] = set()
        self._listener: asyncio.Server | None = None
        self._stopped = asyncio.Event()
        self.stopping = False

    async def listen(self, host: str, port: int) -> int:
        """Open the port (0: a free one) and say which. Raises OSError when it is taken."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: Connection(self), host, port, backlog=512)
        address = self._listener.sockets[0].getsockname()
        return int(address[1])

    def stop(self) -> None:
        """Close the listener and every idle connection now; busy ones close after their answer."""
        self.stopping = True
        if self._listener is not None:
            self._listener.close()
        for connection in tuple(self._connections):
            connection.close_if_idle()
        self._note_end()

    async def stopped(self) -> None:
        """Wait until it was told to stop and the last answer is out."""
        await self._stopped.wait()

    def joined(self, connection: "Connection") -> None:
        """Note an open connection."""
        self._connections.add(connection)

    def left(self, connection: "Connection") -> None:
        """Note a closed connection."""
        self._connections.discard(connection)
        self._note_end()

    def count(self, request: Request, answer: Answer, seconds: float) -> None:
        """Count an answer, unless it was to a probe or a scrape."""
        if answer.counted:
            self._metrics.count(request.method, answer.status, seconds)

    def encode(self, request: Request, answer: Answer, *, close: bool) -> bytes:
        """Put an answer into bytes."""
        dialled = f"{DIALLED_HEADER}: error\r\n" if answer.dialled else ""
        closing = "connection: close\r\n" if close else ""
        head = (
            f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
            f"content-type: {answer.content_type}\r\ncontent-length: {len(answer.body)}\r\n"
            f"{self._headers}{dialled}{closing}\r\n"
        )
        return head.encode("latin-1") + (b"" if request.method == "HEAD" else answer.body)

    def _note_end(self) -> None:
        if self.stopping and not self._connections:
            self._stopped.set()


class Connection(asyncio.Protocol):
    """One client connection; requests on it are answered one after the other."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._buffer = bytearray()
        self._busy = False
        self._transport: asyncio.Transport
        self._later: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio's own type is too wide)."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - create_server promises it
        self._transport = transport
        self._server.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection that either side closed."""
        del exc
        if self._later is not None:
            self._later.cancel()
        self._server.left(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes in and answer when a request is complete."""
        self._buffer += data
        if not self._busy:
            self._advance()

    def close_if_idle(self) -> None:
        """Close unless an answer is on its way."""
        if not self._busy:
            self._transport.close()

    def _advance(self) -> None:
        try:
            request = parse(self._buffer)
        except MalformedRequestError as error:
            self._refuse(error)
            return
        if request is not None:
            del self._buffer[: request.size]
            self._take(request)

    def _take(self, request: Request) -> None:
        arrived = time.monotonic()
        answer = self._server.behaviour.answer(request.path, arrived)
        self._busy = True
        if answer.delay:
            loop = asyncio.get_running_loop()
            self._later = loop.call_later(answer.delay, self._send, request, answer, arrived)
        else:
            self._send(request, answer, arrived)

    def _send(self, request: Request, answer: Answer, arrived: float) -> None:
        close = self._server.stopping or not request.keep_alive
        self._server.count(request, answer, time.monotonic() - arrived)
        self._transport.write(self._server.encode(request, answer, close=close))
        self._busy = False
        if close:
            self._transport.close()
        elif self._buffer:
            self._advance()

    def _refuse(self, error: MalformedRequestError) -> None:
        request = Request("GET", "", keep_alive=False, size=0)
        answer = Answer(400, f"{error}\n".encode(), "text/plain")
        self._transport.write(self._server.encode(request, answer, close=True))
        self._transport.close()
