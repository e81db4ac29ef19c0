"""Counts every answer but those to probes and scrapes, and names the version in each.

Plain ASGI and no `BaseHTTPMiddleware`, which costs a request as much again as all the rest.
"""

import time
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gemini_agent.measures import Measures

VERSION_HEADER: Final = b"x-version"
UNCOUNTED: Final = frozenset({"/health", "/ready", "/metrics"})


class Counting:
    """Wraps an application."""

    def __init__(self, app: ASGIApp, measures: Measures, version: str) -> None:
        self._app = app
        self._measures = measures
        self._header = (VERSION_HEADER, version.encode("latin-1"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of an ASGI server."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), [500]

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                status[0] = message["status"]
                message["headers"] = [*message["headers"], self._header]
            await send(message)

        try:
            await self._app(scope, receive, sent)
        finally:
            if scope["path"] not in UNCOUNTED:
                self._measures.count(scope["method"], status[0], time.monotonic() - began)
