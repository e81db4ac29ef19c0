"""A small API server that misbehaves on demand.

It keeps objects of any kind in memory, with resourceVersions that rise, and answers get, list,
watch, create, merge patch and delete over real HTTP. A test puts a fault on a verb; every
request is counted, because the commonest bug of a client under faults is to ask too often.
"""

import json
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

Json: TypeAlias = dict[str, Any]
REASONS = {404: "NotFound", 409: "Conflict", 410: "Expired", 403: "Forbidden"}


@dataclass(frozen=True)
class Seen:
    """One request, as the server saw it."""

    verb: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    at: float


class FaultyServer:
    """An API server on 127.0.0.1; healthy until a test says otherwise."""

    def __init__(self) -> None:
        self.requests: list[Seen] = []
        self.released = threading.Event()
        self._faults: dict[str, Callable[[Answer], None]] = {}
        self._objects: dict[str, Json] = {}
        self._version = 100
        self._lock = threading.RLock()
        self._watchers: list[tuple[str, queue.Queue[Json]]] = []
        self._history: list[tuple[str, Json]] = []
        self._start(0)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fault(self, verb: str, behaviour: "Fault | None") -> None:
        """Let every request of a verb (get list watch create patch delete) go wrong."""
        if behaviour is None:
            self._faults.pop(verb, None)
        else:
            self._faults[verb] = behaviour

    def count(self, verb: str) -> int:
        return sum(seen.verb == verb for seen in self.requests)

    def put(self, path: str, body: Json | None = None) -> Json:
        """Create or change an object, as somebody else would."""
        with self._lock:
            return self._store(path, dict(body or {}))

    def remove(self, path: str) -> None:
        """Delete an object, as somebody else would."""
        with self._lock:
            gone = self._objects.pop(path)
            self._version += 1
            metadata = {**gone["metadata"], "resourceVersion": str(self._version)}
            self._tell(path, "DELETED", {**gone, "metadata": metadata})

    def forget_everything(self) -> None:
        """Come back as a server with an older, empty state."""
        with self._lock:
            self._objects.clear()
            self._history.clear()
            self._version = 1

    def end_watches(self) -> None:
        """End all watches that are open, orderly."""
        with self._lock:
            for _, events in self._watchers:
                events.put({})

    def stop(self) -> None:
        """Refuse connections from now on, and drop those that are open."""
        self.released.set()
        self.end_watches()
        self._server.shutdown()
        self._server.server_close()
        self._server.drop_connections()
        self._thread.join(5)

    def restart(self) -> None:
        """Listen again on the same port."""
        self.released.clear()
        self._start(self.port)

    def _start(self, port: int) -> None:
        self._server = _Server(("127.0.0.1", port), type("Handler", (_Handler,), {"api": self}))
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.003,))
        self._thread.start()

    def handle(self, answer: "Answer") -> None:
        fault = self._faults.get(answer.seen.verb)
        if fault is not None:
            fault(answer)
            return
        {
            "get": self._get,
            "list": self._list,
            "watch": self._watch,
            "create": self._create,
            "patch": self._patch,
            "delete": self._delete,
        }[answer.seen.verb](answer)

    def _get(self, answer: "Answer") -> None:
        found = self._objects.get(answer.seen.path)
        answer.json(200, found) if found else answer.status(404, details=_details(answer))

    def _list(self, answer: "Answer") -> None:
        with self._lock:
            items = [
                {k: v for k, v in thing.items() if k not in ("kind", "apiVersion")}
                for path, thing in self._objects.items()
                if path.startswith(answer.seen.path + "/")
            ]
            metadata = {"resourceVersion": str(self._version)}
        answer.json(200, {"kind": "List", "metadata": metadata, "items": items})

    def _watch(self, answer: "Answer") -> None:
        seconds = float(answer.seen.query.get("timeoutSeconds", "60"))
        events: queue.Queue[Json] = queue.Queue()
        since = int(answer.seen.query["resourceVersion"])
        with self._lock:
            for path, event in self._history:
                late = int(event["object"]["metadata"]["resourceVersion"]) > since
                if late and path.startswith(answer.seen.path + "/"):
                    events.put(event)
            self._watchers.append((answer.seen.path, events))
        answer.begin()
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                event = events.get(timeout=left)
            except queue.Empty:
                break
            if not event:
                break
            answer.line(event)
        answer.end()

    def _create(self, answer: "Answer") -> None:
        name = answer.seen.body["metadata"]["name"]
        path = f"{answer.seen.path}/{name}"
        with self._lock:
            if path in self._objects:
                answer.status(409, reason="AlreadyExists")
                return
            answer.json(201, self._store(path, answer.seen.body))

    def _patch(self, answer: "Answer") -> None:
        with self._lock:
            old = self._objects.get(answer.seen.path)
            if old is None:
                answer.status(404, details=_details(answer))
                return
            wanted = answer.seen.body.get("metadata", {}).get("resourceVersion")
            if wanted not in (None, old["metadata"]["resourceVersion"]):
                answer.status(409)
                return
            answer.json(200, self._store(answer.seen.path, _merge(old, answer.seen.body)))

    def _delete(self, answer: "Answer") -> None:
        if answer.seen.path not in self._objects:
            answer.status(404, details=_details(answer))
            return
        self.remove(answer.seen.path)
        answer.json(200, {"kind": "Status", "status": "Success"})

    def _store(self, path: str, body: Json) -> Json:
        self._version += 1
        old = self._objects.get(path)
        parts = path.split("/")
        metadata = {
            "name": parts[-1],
            "namespace": parts[parts.index("namespaces") + 1],
            "uid": f"uid-{self._version}",
            **(old["metadata"] if old else {}),
            **body.get("metadata", {}),
            "resourceVersion": str(self._version),
        }
        self._objects[path] = {"apiVersion": "v1", "kind": "Thing", **body, "metadata": metadata}
        self._tell(path, "MODIFIED" if old else "ADDED", self._objects[path])
        return self._objects[path]

    def _tell(self, path: str, kind: str, thing: Json) -> None:
        event = {"type": kind, "object": thing}
        self._history.append((path, event))
        for prefix, events in self._watchers:
            if path.startswith(prefix + "/"):
                events.put(event)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away in the middle are what these tests are about."""


@dataclass
class Answer:
    """What a fault works with: the request, and ways to answer it badly."""

    seen: Seen
    server: FaultyServer
    handler: BaseHTTPRequestHandler
    _raw: Any = field(init=False)

    def __post_init__(self) -> None:
        self._raw = self.handler.wfile

    def json(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.head(status, {"Content-Length": str(len(data)), **(headers or {})}, data)

    def status(
        self,
        status: int,
        *,
        reason: str | None = None,
        message: str = "",
        details: Json | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        body = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "code": status,
            "reason": reason or REASONS.get(status, ""),
            "message": message or f"the test says {status}",
            "details": details or {},
        }
        self.json(status, body, headers)

    def text(self, status: int, text: str) -> None:
        self.head(
            status, {"Content-Type": "text/plain", "Content-Length": str(len(text))}, text.encode()
        )

    def head(self, status: int, headers: Mapping[str, str], data: bytes = b"") -> None:
        lines = [f"HTTP/1.1 {status} Said", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
        self._raw.write("\r\n".join(lines).encode() + data)

    def begin(self) -> None:
        """Begin a stream of chunks."""
        self.head(200, {"Transfer-Encoding": "chunked"})

    def chunk(self, data: bytes) -> None:
        self._raw.write(b"%x\r\n%s\r\n" % (len(data), data))

    def line(self, event: Json) -> None:
        self.chunk(json.dumps(event).encode() + b"\n")

    def end(self) -> None:
        self._raw.write(b"0\r\n\r\n")

    def hold(self) -> None:
        """Say nothing more until the server stops."""
        self.server.released.wait(60)
        self.cut()

    def cut(self) -> None:
        self.handler.close_connection = True


Fault: TypeAlias = Callable[[Answer], None]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    api: FaultyServer

    def _any(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        verb = _verb(self.command, parts.path, query)
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(verb, parts.path, query, headers, body, time.monotonic())
        self.api.requests.append(seen)
        self.api.handle(Answer(seen, self.api, self))

    do_GET = do_POST = do_PATCH = do_DELETE = _any  # noqa: N815 - names of the standard library

    def log_message(self, *_: Any) -> None:
        """Stay silent."""


def _verb(method: str, path: str, query: Mapping[str, str]) -> str:
    if method != "GET":
        return {"POST": "create", "PATCH": "patch", "DELETE": "delete"}[method]
    parts = path.strip("/").split("/")
    after = parts[parts.index("namespaces") + 2 :] if "namespaces" in parts else parts[-1:]
    named = len(after) > 1
    return "get" if named else ("watch" if query.get("watch") else "list")


def _details(answer: Answer) -> Json:
    return {"name": answer.seen.path.rsplit("/", 1)[-1], "kind": "things"}


def _merge(old: Any, patch: Any) -> Any:
    if not isinstance(patch, dict) or not isinstance(old, dict):
        return patch
    merged = dict(old)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(old.get(key, {}), value)
    return merged


# Faults by name, for `server.fault(verb, ...)`.


def says(status: int, *, retry_after: int | None = None, **words: Any) -> Fault:
    """Answer with a Status of failure."""
    headers = {"Retry-After": str(retry_after)} if retry_after is not None else {}
    return lambda answer: answer.status(status, headers=headers, **words)


def page_not_found(answer: Answer) -> None:
    """Answer as an API server does for a kind it does not know."""
    answer.text(404, "404 page not found\n")


def drops(answer: Answer) -> None:
    """Close the connection without an answer."""
    answer.cut()


def hangs(answer: Answer) -> None:
    """Never answer."""
    answer.hold()


def ends_at_once(answer: Answer) -> None:
    """Accept a watch and end it in good order."""
    answer.begin()
    answer.end()


def stays_silent(answer: Answer) -> None:
    """Accept a watch, then never say anything, not even that it is over."""
    answer.begin()
    answer.hold()


def keeps_alive(answer: Answer) -> None:
    """Accept a watch, then keep it open with empty lines for ever, as some proxies do."""
    answer.begin()
    while not answer.server.released.wait(0.02):
        answer.chunk(b"\n")
    answer.cut()


def half_an_event(answer: Answer) -> None:
    """Break off in the middle of an event."""
    answer.begin()
    answer.chunk(b'{"type": "ADDED", "object": {"metad')
    answer.cut()


def gone_as_event(answer: Answer) -> None:
    """Accept a watch and say in the stream that the version is forgotten."""
    answer.begin()
    answer.line({"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}})
    answer.end()


def drips(answer: Answer) -> None:
    """Answer a byte at a time, so that no single read ever times out."""
    answer.head(200, {"Content-Length": "100000"})
    while not answer.server.released.wait(0.02):
        answer.handler.wfile.write(b" ")
    answer.cut()


@contextmanager
def faulty_server() -> Iterator[FaultyServer]:
    """A server for one test."""
    server = FaultyServer()
    try:
        yield server
    finally:
        if server._thread.is_alive():
            server.stop()
