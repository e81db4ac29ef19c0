"""Nobody holds a connection without using it: bounds on what uvicorn leaves unbounded.

uvicorn waits for ever for a client that does not finish its request, and for one that does not
read its answer; and it ends such a connection by waiting for it once more. Here every such wait
has an end, and the end is the end of the connection.
"""

import asyncio
import math
from http import HTTPStatus
from typing import Any, ClassVar, Final

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from rollout.server.problems import Problem
from rollout.server.settings import Limits

log = structlog.get_logger(__name__)
FULL_SECONDS: Final = 1
ABORT: Final = "abort"
"""Key of the function, in the scope's state, that drops the connection at once."""
SLOW: Final = "slow"
"""Key in the scope's state that is there when the client takes nothing of its answer."""
CONNECTED: Final = "connected"
"""Key of the function, in the scope's state, that counts the open connections."""


class Bounded:
    """Drops a client that pauses too long, in what it sends or in what it takes."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, with both directions bounded."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["state"][CONNECTED]() > self._limits.connections:
            await self._full().response()(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._limits)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception:
            if SLOW in scope["state"]:
                await self._drop(scope, receive)
            elif not exchange.answered:  # else it was logged, and the client knows
                raise

    def _full(self) -> Problem:
        """Refuse as for everything else: uvicorn's own limit answers in plain text."""
        detail = f"{self._limits.connections} connections are open already"
        headers = {"Retry-After": str(FULL_SECONDS), "Connection": "close"}
        return Problem("too-many-requests", detail, headers=headers)

    @staticmethod
    async def _drop(scope: Scope, receive: Receive) -> None:
        log.info("dropped a client that kept us waiting", path=scope["path"])
        scope["state"][ABORT]()
        await receive()  # until the end of the connection has come through


class _Exchange:
    def __init__(self, scope: Scope, receive: Receive, send: Send, limits: Limits) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._limits = limits
        self._whole = False
        self.answered = False

    async def receive(self) -> Message:
        """Take the next part of the body; once it is whole, waiting is for the client to go."""
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout(self._limits.body):
                message = await self._receive()
        except TimeoutError as error:
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT) from error
        self._whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        try:
            async with asyncio.timeout(self._limits.send):
                await self._send(message)
        except TimeoutError:
            self._scope["state"][SLOW] = True
            raise
        body = message["type"] == "http.response.body"
        self.answered = body and not message.get("more_body", False)


class Connection(H11Protocol):
    """A connection that ends when no request comes, and that can be dropped."""

    limits: ClassVar[Limits]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        mine = {ABORT: self._abort, CONNECTED: lambda: len(self.connections)}
        self.app_state = {**self.app_state, **mine}
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        """Take a part of a request; a keep-alive connection waits anew for the next one."""
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._forget()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """See to it that the end of an answer is taken too."""
        super().on_response_complete()
        self._watch_tail(math.inf)

    def _watch_tail(self, before: float) -> None:
        left = self.transport.get_write_buffer_size()
        if left == before:
            self._abort()
        elif left > 0:
            self.loop.call_later(self.limits.send, self._watch_tail, left)

    def _watch_head(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._forget()
        elif self._late is None:
            self._late = self.loop.call_later(self.limits.head, self._abort)

    def _forget(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _abort(self) -> None:
        self.transport.abort()


def connection(limits: Limits) -> type[Connection]:
    """Make the class of connections whose clients have so long to say what they want."""
    return type("Connection", (Connection,), {"limits": limits})
