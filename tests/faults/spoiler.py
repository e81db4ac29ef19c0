"""A proxy in front of the real API server that spoils its answers on demand.

What it lets through is real; the faults are those that a real server gives only when it is ill.
Every request is noted, because the commonest bug of a client under faults is to ask too often.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from socket import SHUT_RDWR
from typing import Any, TypeAlias, cast

from tests.scenarios.gate import Asked, Gate

SECONDS = 60.0


@dataclass
class Answer:
    """An answer that is made here, or changed on its way."""

    status: int
    headers: Mapping[str, str]
    parts: Callable[[], bytes]

    def getheaders(self) -> list[tuple[str, str]]:
        """Give the headers."""
        return list(self.headers.items())

    def read1(self, _: int) -> bytes:
        """Give the next part; empty at the end."""
        return self.parts()


Fault: TypeAlias = Callable[["Spoiler", Asked, HTTPResponse], Any]
"""Makes another answer of the server's own."""


@dataclass
class Spoiler(Gate):
    """The proxy. `fault` strikes lists and watches while it is set."""

    url_: str
    token: str
    ca_file: str
    fault: Fault | None = None
    asked: list[tuple[float, str]] = field(default_factory=list)
    """When each request came, and what it was: list (any read), watch, or the method of a write."""
    struck: int = 0
    """Answers that the fault has made others of."""
    moved: threading.Event = field(default_factory=threading.Event)
    """Set to have the faults strike that wait for a moment."""
    away: bool = False
    _upstream_open: list[HTTPConnection] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(self.url_, self.token, self.ca_file)

    def go_away(self) -> None:
        """Break off all that is open, and answer nothing until `away` is set back."""
        self.away = True
        for connection in self._upstream_open:
            if connection.sock is not None:
                connection.sock.shutdown(SHUT_RDWR)

    def pass_on(self, asked: Asked, headers: dict[str, str]) -> tuple[HTTPConnection, HTTPResponse]:
        """Pass a request on, and spoil the answer."""
        verb = asked.method.lower() if asked.method != "GET" else "list"
        self.asked.append((time.monotonic(), "watch" if _is_watch(asked) else verb))
        if self.away:
            raise ConnectionRefusedError
        connection, answer = super().pass_on(asked, headers)
        self._upstream_open.append(connection)
        if self.fault is not None:
            spoiled = self.fault(self, asked, answer)
            self.struck += spoiled is not answer
            answer = spoiled
        return connection, answer

    def count(self, verb: str) -> int:
        """Say how often something was asked."""
        return sum(one == verb for _, one in self.asked)


def throttles(seconds: int) -> Fault:
    """Answer 429 with a wait to everything."""
    made = _said(429, "TooManyRequests", "too many requests", {"Retry-After": str(seconds)})
    return lambda _, __, ___: made()


def gone_at_the_start(_: Spoiler, asked: Asked, answer: HTTPResponse) -> HTTPResponse:
    """Answer 410 to watches: a young server forgets nothing yet, so that it is said for it."""
    return _said(410, "Expired", "too old", {})() if _is_watch(asked) else answer


def _said(
    status: int, reason: str, message: str, headers: Mapping[str, str]
) -> Callable[[], HTTPResponse]:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status}
    data = json.dumps({**body, "reason": reason, "message": message}).encode()

    def made() -> HTTPResponse:
        parts = iter([data])
        return cast("HTTPResponse", Answer(status, headers, lambda: next(parts, b"")))

    return made


def gone_in_the_middle(spoiler: Spoiler, asked: Asked, answer: HTTPResponse) -> HTTPResponse:
    """Say in a watch that has begun that its version is forgotten."""
    status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
    line = json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"
    parts = iter([line])

    def next_part() -> bytes:
        spoiler.moved.wait(SECONDS)
        return next(parts, b"")

    return _of_watch(asked, answer, next_part)


def half_an_event(spoiler: Spoiler, asked: Asked, answer: HTTPResponse) -> HTTPResponse:
    """Give the first half of the next event that the real server sends, then break off."""
    parts = iter(range(2))

    def next_part() -> bytes:
        if next(parts, 1) == 1:
            raise ConnectionResetError
        data = answer.read1(65536)
        spoiler.moved.wait(SECONDS)
        return data[: len(data) // 2]

    return _of_watch(asked, answer, next_part)


def says_nothing(_: Spoiler, asked: Asked, answer: HTTPResponse) -> HTTPResponse:
    """Keep a watch open and swallow what comes, also its end."""

    def next_part() -> bytes:
        time.sleep(SECONDS)
        return b""

    return _of_watch(asked, answer, next_part)


def _of_watch(asked: Asked, answer: HTTPResponse, parts: Callable[[], bytes]) -> HTTPResponse:
    if not _is_watch(asked):
        return answer
    return cast("HTTPResponse", Answer(200, {"Content-Type": "application/json"}, parts))


def _is_watch(asked: Asked) -> bool:
    return "watch=true" in asked.path
