"""`kubectl port-forward`: many connections to a pod's ports over one WebSocket, as SPDY streams.

Each connection has two streams with one `requestid`: `data` carries its bytes, `error` what went
wrong. kubectl waits for the end of both.
"""

import asyncio
from contextlib import suppress
from typing import Final

from aiohttp import WSMsgType, web

from rollout.sandbox.agent.channels import CHUNK, SECONDS_TO_CLOSE
from rollout.sandbox.agent.spdy import Data, Frame, Frames, GoAway, Opened, Ping, Reset

PROTOCOL: Final = "SPDY/3.1+portforward.k8s.io"


class Tunnel:
    """One WebSocket of kubectl's."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._socket = web.WebSocketResponse(protocols=[PROTOCOL], timeout=SECONDS_TO_CLOSE)
        self._frames = Frames()
        self._errors: dict[str, int] = {}
        self._writers: dict[int, asyncio.StreamWriter] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Carry what comes until the client leaves."""
        await self._socket.prepare(request)
        try:
            async for message in self._socket:
                if message.type is WSMsgType.BINARY:
                    for frame in self._frames.feed(message.data):
                        await self._obey(frame)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for writer in self._writers.values():
                writer.close()
        return self._socket

    async def _obey(self, frame: Frame) -> None:
        match frame:
            case Opened():
                await self._send(self._frames.reply(frame.stream))
                await self._open(frame)
            case Data():
                await self._give(frame)
            case Reset():
                writer = self._writers.pop(frame.stream, None)
                if writer is not None:
                    writer.close()
            case Ping():
                await self._send(self._frames.pong(frame))
            case GoAway():
                await self._socket.close()

    async def _open(self, opened: Opened) -> None:
        headers = {name.lower(): value for name, value in opened.headers.items()}
        request = headers.get("requestid", "")
        if headers.get("streamtype") == "error":
            self._errors[request] = opened.stream
            return
        errors = self._errors.pop(request, 0)
        try:
            port = int(headers.get("port", "0"))
            reader, self._writers[opened.stream] = await asyncio.open_connection(self._host, port)
        except OSError as error:
            said = f"failed to connect to the pod: {error}".encode()
            await self._send(self._frames.data(errors, said, ended=True))
            await self._send(self._frames.data(opened.stream, b"", ended=True))
            return
        task = asyncio.create_task(self._read(opened.stream, errors, reader))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self, stream: int, errors: int, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                await self._send(self._frames.data(stream, data))
        await self._send(self._frames.data(stream, b"", ended=True))
        await self._send(self._frames.data(errors, b"", ended=True))

    async def _give(self, frame: Data) -> None:
        writer = self._writers.get(frame.stream)
        if writer is None:
            return
        with suppress(ConnectionError):
            writer.write(frame.data)
            await writer.drain()
            if frame.ended:
                writer.write_eof()

    async def _send(self, data: bytes) -> None:
        if not self._socket.closed:
            with suppress(ConnectionError):
                await self._socket.send_bytes(data)
