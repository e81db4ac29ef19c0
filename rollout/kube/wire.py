"""One HTTP exchange with an API server: bounded in time, never repeated, breakable.

The official client brings configuration, TLS and token refresh. Three things it leaves open are
closed here. It waits for ever unless told otherwise: every call has a bound, on each read and on
the whole answer, so that a server that drips cannot hold a thread. It repeats some calls behind
one's back: that is off, because only the caller knows whether a decision still stands. And a
blocked call cannot be stopped: connections remember the thread that uses them, so that another
thread can shut the socket down.

Safe to use from many threads: urllib3's pools are, and the client makes fresh values for each
call. The token-refresh hook of the client may run twice at once; both runs store a valid token.
"""

import json
import socket
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any, Final, cast
from weakref import WeakSet

from kubernetes.client import ApiClient, ApiException, Configuration
from kubernetes.config import ConfigException
from kubernetes.dynamic import DynamicClient
from urllib3 import BaseHTTPResponse, PoolManager
from urllib3.exceptions import HTTPError

import rollout
from rollout.kube.errors import ClusterError, Unreachable, refusal

CONNECT_SECONDS: Final = 3.0
CHUNK: Final = 1 << 16
CONNECTIONS: Final = 32
"""Idle connections kept; more may be open at once."""

MESSAGE_LIMIT: Final = 500


@dataclass(frozen=True)
class Call:
    """One request: what is asked, and how long it may take in all (seconds)."""

    method: str
    path: str
    seconds: float
    query: Sequence[tuple[str, str]] = ()
    body: Any = None
    content_type: str = "application/json"

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class _Owned:
    """A connection that knows its socket and the thread that uses it.

    The socket is kept apart because `http.client` forgets its own as soon as a server says
    `Connection: close`, while the body is still being read from it.
    """

    open_connections: "_Connections"
    sock: socket.socket
    socket_in_use: socket.socket
    user: int = 0

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self.socket_in_use = self.sock
        self.open_connections.add(self)

    def request(self, *args: Any, **kwargs: Any) -> None:
        self.user = threading.get_ident()
        super().request(*args, **kwargs)  # type: ignore[misc]

    def shut_down(self) -> None:
        """Break a read that is going on; the reader sees the end of the stream."""
        try:
            self.socket_in_use.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # closed already: there is nothing left to break


class _Connections:
    """All connections of one client, by the thread that uses them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: WeakSet[_Owned] = WeakSet()

    def add(self, connection: _Owned) -> None:
        with self._lock:
            self._known.add(connection)

    def of(self, thread_id: int) -> list[_Owned]:
        with self._lock:
            return [c for c in self._known if c.user == thread_id]

    def follow(self, pools: PoolManager) -> None:
        """Let a pool manager open connections that are entered here (its own kinds: a proxy's)."""
        kinds = pools.pool_classes_by_scheme.items()
        pools.pool_classes_by_scheme = {scheme: self._entering(pool) for scheme, pool in kinds}

    def _entering(self, pool: Any) -> type[Any]:
        bases = (_Owned, pool.ConnectionCls)
        connection = type("Connection", bases, {"open_connections": self})
        return type("Pool", (pool,), {"ConnectionCls": connection})


class _NoDiscovery:
    """Resources are declared, so nothing is asked at start-up and no cache file is written."""

    def __init__(self, client: DynamicClient, cache_file: str | None) -> None:
        """Take what the dynamic client hands to every discoverer."""


@dataclass
class Wire:
    """Requests to one API server, as plain JSON; raises only ClusterError."""

    configuration: Configuration
    _connections: _Connections = field(default_factory=_Connections, init=False)

    def __post_init__(self) -> None:
        self.configuration.retries = False
        self.configuration.keep_alive = True  # the kernel notices a dead peer of an idle watch
        self.configuration.connection_pool_maxsize = CONNECTIONS
        client = ApiClient(self.configuration)
        client.user_agent = f"rollout/{rollout.__version__}"
        self._pools = client.rest_client.pool_manager
        self._connections.follow(self._pools)
        self._dynamic = DynamicClient(client, discoverer=_NoDiscovery)

    def call(self, call: Call) -> dict[str, Any]:
        """Send a request and read the whole answer, a JSON object."""
        deadline = time.monotonic() + call.seconds
        response = self._send(call)
        try:
            return _object(_read(response, call, deadline))
        except (HTTPError, HTTPException, OSError) as error:
            raise self._unreachable(call, error) from error
        except ValueError as error:
            raise Unreachable(
                f"the answer of {self.configuration.host} to {call} is not a JSON object: is the "
                "address that of an API server, without a proxy in between?"
            ) from error
        finally:
            response.close()  # a connection whose answer was read whole is in the pool by now

    def lines(self, call: Call, seconds: float) -> Generator[bytes]:
        """Send a request; gives its answer line by line, as long as lines come.

        Returns when the answer has begun. `call.seconds` bounds the time to its headers,
        `seconds` all that comes after them. A stream that ends within a line, or not in that
        time, raises Unreachable. Close what is not read to its end.
        """
        response = self._send(call)
        return self._follow(response, call, time.monotonic() + seconds)

    def _follow(self, response: BaseHTTPResponse, call: Call, deadline: float) -> Generator[bytes]:
        try:
            yield from _split(response, deadline)
        except (HTTPError, HTTPException, OSError) as error:
            raise self._unreachable(call, error) from error
        finally:
            response.close()

    def parts(self, call: Call, seconds: float) -> Iterator[bytes]:
        """Send a request; gives its answer piece by piece, whatever the pieces are.

        Returns when the answer has begun. Bounds are those of `lines`.
        """
        response = self._send(call)
        return self._pieces(response, call, time.monotonic() + seconds)

    def _pieces(self, response: BaseHTTPResponse, call: Call, deadline: float) -> Iterator[bytes]:
        try:
            while part := _next_part(response, deadline):
                yield part
        except (HTTPError, HTTPException, OSError) as error:
            raise self._unreachable(call, error) from error
        finally:
            response.close()

    def interrupt(self, thread_id: int) -> None:
        """Shut down the connections that a thread is using: its call raises Unreachable."""
        for connection in self._connections.of(thread_id):
            connection.shut_down()

    def close(self) -> None:
        """Close idle connections."""
        self._pools.clear()

    def _send(self, call: Call) -> BaseHTTPResponse:
        try:
            response = self._dynamic.request(
                call.method,
                call.path,
                body=call.body,
                query_params=list(call.query),
                content_type=call.content_type,
                serialize=False,
                _request_timeout=(min(CONNECT_SECONDS, call.seconds), call.seconds),
            )
        except ApiException as error:
            raise self._translated(call, error) from error
        except (HTTPError, HTTPException, OSError, ConfigException) as error:
            raise self._unreachable(call, error) from error
        return cast("BaseHTTPResponse", response)

    def _translated(self, call: Call, error: ApiException) -> ClusterError:
        if not error.status:  # how the client reports failures of TLS
            return self._unreachable(call, error)
        payload, text = _payload(error.body)
        if "message" not in payload:
            payload = {**payload, "message": f"{call} was answered {error.status}: {text}"}
        return refusal(error.status, payload, retry_after=_retry_after(error.headers or {}))

    def _unreachable(self, call: Call, error: Exception) -> Unreachable:
        return Unreachable(f"no answer from {self.configuration.host} to {call}: {_words(error)}")


def _read(response: BaseHTTPResponse, call: Call, deadline: float) -> bytes:
    parts = []
    while part := response.read1(CHUNK):
        parts.append(part)
        if time.monotonic() > deadline:
            raise TimeoutError(f"not complete after {call.seconds:g} s")
    return b"".join(parts)


def _object(data: bytes) -> dict[str, Any]:
    answer = json.loads(data)
    if not isinstance(answer, dict):
        raise ValueError(f"not an object: {data[:80]!r}")  # noqa: TRY004 - as json.loads raises
    return answer


def _split(response: BaseHTTPResponse, deadline: float) -> Iterator[bytes]:
    rest = b""
    while part := _next_part(response, deadline):
        *whole, rest = (rest + part).split(b"\n")
        yield from (line for line in whole if line.strip())
    if rest.strip():
        raise ConnectionError("the stream ended within a line")


def _next_part(response: BaseHTTPResponse, deadline: float) -> bytes:
    """Read what is there next, and wait for it no longer than to the deadline.

    A bound on each silence alone would let a proxy that keeps a dead stream open with empty
    lines hold the reader for ever.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the stream goes on longer than was asked for")
    if isinstance(response.connection, _Owned):
        response.connection.socket_in_use.settimeout(left)
    return response.read1(CHUNK)


def _payload(body: str | bytes | None) -> tuple[Mapping[str, Any], str]:
    """Give the Status object of an answer where it is one, and the start of its text."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else (body or "")
    try:
        payload = json.loads(text)
    except ValueError:
        payload = None
    return (payload if isinstance(payload, dict) else {}), text.strip()[:MESSAGE_LIMIT]


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After header; API servers never send the form with a date."""
    value = str(headers.get("Retry-After", ""))
    return float(value) if value.isdigit() else None


def _words(error: Exception) -> str:
    """Say what happened without the library's object addresses."""
    reason = getattr(error, "reason", None) or error
    text = str(reason).split(": ", 1)[-1] if " object at 0x" in str(reason) else str(reason)
    return text or type(error).__name__
