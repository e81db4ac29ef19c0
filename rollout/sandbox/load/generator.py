"""Open-loop load: requests go out by the clock, whether or not earlier ones were answered.

A closed loop slows down when the service does, and so hides the very thing that is measured.
Bounded in rate, count, time and requests in flight, and only ever aimed at this machine.
"""

import asyncio
import ipaddress
import threading
import time
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

from rollout.sandbox.load.client import Connection, ExchangeError, Response
from rollout.sandbox.load.tally import NO_VERSION, Kind, Outcome, Tally, judge

_LOOPBACK: Final = ipaddress.IPv4Network("127.0.0.0/8")
_MOST_RATE: Final = 2000.0
_MOST_SECONDS: Final = 3600.0
_MOST_IN_FLIGHT: Final = 1000
_LOOK_UP: Final = 0.1
"""Seconds after which a slow generator looks whether it should stop."""


class TargetError(ValueError):
    """A target or a bound that the generator refuses; the message says what it takes."""


@dataclass(frozen=True)
class Plan:
    """What to send: GETs to `url`, `rate` a second, for `seconds` or `count` requests.

    `host` is the Host header (default: that of the URL), `connections` how many idle
    connections are kept (0: each request opens its own), `timeout` seconds until an answer
    counts as lost. Raises TargetError for targets outside this machine and beyond the bounds.
    """

    url: str
    host: str | None = None
    rate: float = 100.0
    seconds: float = 60.0
    count: int | None = None
    connections: int = 64
    timeout: float = 10.0

    def __post_init__(self) -> None:
        if not 0 < self.rate <= _MOST_RATE:
            raise TargetError(f"rate: {self.rate:g} must be above 0 and at most {_MOST_RATE:g}/s")
        if not 0 < self.seconds <= _MOST_SECONDS:
            raise TargetError(f"seconds: {self.seconds:g} must be above 0, at most 3600")
        _ = self.endpoint

    @property
    def endpoint(self) -> tuple[str, int]:
        """Address and port to connect to."""
        parts = urlsplit(self.url)
        name = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
        try:
            local = ipaddress.IPv4Address(name) in _LOOPBACK
        except ValueError:
            local = False
        if parts.scheme != "http" or not local:
            raise TargetError(f"url: {self.url!r} is not on this machine; use http://127.0.0.1:...")
        return name, parts.port or 80

    def request(self) -> bytes:
        """Bytes of each request."""
        parts = urlsplit(self.url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        closing = "" if self.connections else "connection: close\r\n"
        host = self.host or parts.netloc
        head = f"GET {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: rollout-load\r\n"
        return f"{head}{closing}\r\n".encode("latin-1")


class Load:
    """Sends a plan's requests from a thread of its own; `tally` can be read all the while."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.tally = Tally()
        self._rate = plan.rate
        self._stopping = threading.Event()
        self._idle: list[Connection] = []
        self._in_flight: set[asyncio.Task[None]] = set()
        self._request = plan.request()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def start(self) -> Self:
        """Begin to send; returns at once."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Send no more, and wait for the answers that are on their way."""
        self._stopping.set()
        self.wait()

    def wait(self) -> None:
        """Wait until the plan is carried out."""
        self._thread.join(self.plan.seconds + 2 * self.plan.timeout)

    def set_rate(self, rate: float) -> None:
        """Send so many a second from now on, within the bound of every plan."""
        if not 0 < rate <= _MOST_RATE:
            raise TargetError(f"rate: {rate:g} must be above 0 and at most {_MOST_RATE:g}/s")
        self._rate = rate

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        asyncio.run(self._drive())

    async def _drive(self) -> None:
        loop = asyncio.get_running_loop()
        due, end = loop.time(), loop.time() + self.plan.seconds
        left = self.plan.count or int(_MOST_RATE * _MOST_SECONDS)
        while due < end and left and not self._stopping.is_set():
            if (early := due - loop.time()) > 0:
                await asyncio.sleep(min(early, _LOOK_UP))
                continue
            self._send(-early)
            due, left = due + 1 / self._rate, left - 1
        await asyncio.gather(*self._in_flight)
        for connection in self._idle:
            connection.close()
        await asyncio.sleep(0)

    def _send(self, late: float) -> None:
        self.tally.sent(late)
        if len(self._in_flight) >= _MOST_IN_FLIGHT:
            self._lost(time.time(), 0.0, f"not sent: {_MOST_IN_FLIGHT} requests wait for answers")
            return
        task = asyncio.get_running_loop().create_task(self._exchange())
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    async def _exchange(self) -> None:
        at, began = time.time(), time.perf_counter()
        try:
            async with asyncio.timeout(self.plan.timeout):
                response = await self._ask()
        except TimeoutError:
            self._lost(at, time.perf_counter() - began, f"no answer in {self.plan.timeout:g} s")
        except ExchangeError as error:
            self._lost(at, time.perf_counter() - began, str(error))
        else:
            self._answered(at, time.perf_counter() - began, response)

    async def _ask(self) -> Response:
        connection = self._kept() or await Connection.open(*self.plan.endpoint)
        try:
            response = await connection.ask(self._request)
        except BaseException:
            connection.close()
            raise
        if response.reusable and len(self._idle) < self.plan.connections:
            self._idle.append(connection)
        else:
            connection.close()
        return response

    def _kept(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                return connection
        return None

    def _answered(self, at: float, seconds: float, response: Response) -> None:
        kind, version = judge(response.status, response.headers)
        body = "" if kind is Kind.OK else response.body.decode(errors="replace")
        outcome = Outcome(at, kind, version, response.status, seconds, body)
        self.tally.record(outcome)

    def _lost(self, at: float, seconds: float, detail: str) -> None:
        self.tally.record(Outcome(at, Kind.LOST, NO_VERSION, None, seconds, detail))
