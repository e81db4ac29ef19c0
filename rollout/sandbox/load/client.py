"""An HTTP/1.1 client that sends each request exactly once.

The usual clients are of no use for counting lost requests: they send a GET again, unasked, when
a kept-alive connection turns out to be closed. This one says what happened instead.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

_BODY_KEPT: Final = 300


class ExchangeError(Exception):
    """No whole answer came; the message says how it ended."""


@dataclass(frozen=True)
class Response:
    """An answer. `body` is cut after 300 bytes; `reusable` says whether the connection is."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    reusable: bool


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._parser = ResponseParser()
        self._answer: asyncio.Future[Response] | None = None
        self.closed = False

    @classmethod
    async def open(cls, address: str, port: int) -> Self:
        """Connect. Raises ExchangeError."""
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(cls, address, port)
        except OSError as cause:
            raise ExchangeError(f"cannot connect: {cause.strerror or cause}") from cause
        return connection

    async def ask(self, request: bytes) -> Response:
        """Send a request and wait for its answer. Raises ExchangeError."""
        self._answer = asyncio.get_running_loop().create_future()
        self._parser = ResponseParser()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Close it."""
        self.closed = True
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - create_connection's promise
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take bytes of the answer in."""
        try:
            response = self._parser.feed(data)
        except ValueError as cause:
            self._fail(f"cannot read the answer: {cause}")
            self.close()
            return
        if response is not None and self._answer is not None and not self._answer.done():
            self._answer.set_result(response)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the request that was waiting, if one was."""
        self.closed = True
        how = f" ({exc})" if exc else ""
        self._fail(f"connection closed before the answer was complete{how}")

    def _fail(self, why: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ExchangeError(why))


class ResponseParser:
    """Reads one answer from bytes as they come."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._status = 0
        self._headers: dict[str, str] = {}
        self._body: bytes | None = None
        self._head_read = False

    def feed(self, data: bytes) -> Response | None:
        """Take bytes; the answer when it is complete. Raises ValueError for what is not HTTP."""
        self._buffer += data
        if not self._head_read and not self._read_head():
            return None
        if "chunked" in self._headers.get("transfer-encoding", ""):
            body = self._chunks()
        else:
            body = self._sized()
        return None if body is None else self._response(body)

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        if not first.startswith("HTTP/1."):
            raise ValueError(f"no status line but {first[:80]!r}")
        self._status = int(first.split(" ", 2)[1])
        pairs = (line.partition(":") for line in lines)
        self._headers = {name.lower(): value.strip() for name, _, value in pairs}
        del self._buffer[: end + 4]
        self._head_read = True
        return True

    def _sized(self) -> bytes | None:
        if "content-length" not in self._headers:
            raise ValueError("the answer has neither content-length nor chunks")
        size = int(self._headers["content-length"])
        return bytes(self._buffer[:size]) if len(self._buffer) >= size else None

    def _chunks(self) -> bytes | None:
        body, position = bytearray(), 0
        while (end := self._buffer.find(b"\r\n", position)) >= 0:
            size = int(self._buffer[position:end].split(b";")[0], 16)
            start, position = end + 2, end + 2 + size + 2
            if len(self._buffer) < position:
                return None
            if size == 0:
                return bytes(body)
            body += self._buffer[start : start + size]
        return None

    def _response(self, body: bytes) -> Response:
        reusable = self._headers.get("connection", "").lower() != "close"
        return Response(self._status, self._headers, body[:_BODY_KEPT], reusable)
