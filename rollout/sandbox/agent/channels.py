"""Streams of a pod over one WebSocket: the first byte of a message says which stream it is for."""

from typing import Any, Final

from aiohttp import WSMsgType, web

STDIN: Final = 0
STDOUT: Final = 1
STDERR: Final = 2
ERROR: Final = 3
RESIZE: Final = 4
CLOSE: Final = 255
V4: Final = "v4.channel.k8s.io"
V5: Final = "v5.channel.k8s.io"
"""As V4, and either side may close one stream: `CLOSE` and its number."""

CHUNK: Final = 1 << 15
SECONDS_TO_CLOSE: Final = 2.0


def asked_protocols(request: web.Request) -> list[str]:
    """Give the protocols that a client offers, in its order."""
    header = request.headers.get("Sec-WebSocket-Protocol", "")
    return [part.strip() for part in header.split(",") if part.strip()]


class Channels:
    """One WebSocket with several streams."""

    def __init__(self, *protocols: str) -> None:
        self._socket = web.WebSocketResponse(protocols=protocols, timeout=SECONDS_TO_CLOSE)

    @property
    def response(self) -> web.WebSocketResponse:
        """What the handler of the request returns."""
        return self._socket

    async def open(self, request: web.Request) -> None:
        """Answer the handshake."""
        await self._socket.prepare(request)

    async def send(self, channel: int, data: bytes = b"") -> None:
        """Send to a stream; to a client that has left, nothing."""
        if not self._socket.closed:
            try:
                await self._socket.send_bytes(bytes([channel]) + data)
            except ConnectionError:
                return

    async def receive(self) -> tuple[int, bytes] | None:
        """Give the next message: stream and data, `CLOSE` and the number of a stream, None: over.

        Empty messages open a stream and say nothing.
        """
        async for message in self._socket:
            data = _bytes(message)
            if data is None:
                return None
            if data:
                return data[0], data[1:]
        return None

    async def close(self) -> None:
        """End the connection."""
        await self._socket.close()


def _bytes(message: Any) -> bytes | None:
    if message.type is WSMsgType.BINARY:
        return bytes(message.data)
    return message.data.encode() if message.type is WSMsgType.TEXT else None
