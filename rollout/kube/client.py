"""The cluster behind HTTP: reads, writes and watches of declared kinds.

Nothing is discovered and nothing is guessed: paths come from `Kind`, every patch names its
content type, every call has a bound. Objects stay the JSON that the server sent, because typed
models lose the fields they do not know.
"""

import copy
import json
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Self
from urllib.parse import quote

from kubernetes.client import Configuration
from kubernetes.dynamic import Resource

from rollout.kube.cluster import EventType, ObjectList, WatchEvent
from rollout.kube.credentials import from_kubeconfig, from_server
from rollout.kube.errors import Invalid, TooManyRequests, Unreachable, refusal
from rollout.kube.sockets import PodSocket, open_socket
from rollout.kube.wire import Call, Wire
from rollout.resources.words import FIELD_MANAGER
from rollout.resources.writes import Create, Delete, Kind, Object, Patch, Write

WATCH_GRACE_SECONDS: Final = 5
"""How much longer than asked a watch may stay open before it counts as dead."""
SHORTEST_WAIT: Final = 0.5
"""Seconds before a busy server is asked again that says 0, as some proxies do."""


@dataclass(frozen=True)
class Bounds:
    """How long a call may take in all, in seconds."""

    call: float = 10.0
    list: float = 30.0


class HttpCluster:
    """A Kubernetes API server. Safe to use from many threads.

    `namespace` is the namespace of the kubeconfig's context (or of the pod). Raises only
    `ClusterError`; never sends a request twice that the server may have carried out.
    `busy_seconds`: how long a server that has turned a call away (429) is asked again when it says
    so, as kubectl does. A daemon has other ways and does not wait.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        namespace: str = "default",
        field_manager: str = FIELD_MANAGER,
        busy_seconds: float = 0.0,
    ) -> None:
        self.namespace = namespace
        self._busy_seconds = busy_seconds
        self._field_manager = field_manager
        self._bounds = Bounds()
        self._wire = Wire(configuration)

    @classmethod
    def for_server(
        cls,
        url: str,
        token: str | None,
        ca_file: str | None = None,
        verify: bool = True,  # noqa: FBT001, FBT002 - a switch of TLS, as everywhere
        *,
        field_manager: str = FIELD_MANAGER,
        busy_seconds: float = 0.0,
    ) -> Self:
        """Use the server at `url`, with a bearer token; `ca_file` is a PEM bundle."""
        configuration = from_server(url, token, ca_file, verify=verify)
        return cls(configuration, field_manager=field_manager, busy_seconds=busy_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def server(self) -> str:
        """Address of the API server."""
        return str(self._wire.configuration.host)

    def within(self, seconds: float) -> Self:
        """The same server and connections, each call bounded to `seconds` and made once."""
        bounded = copy.copy(self)
        bounded._bounds = Bounds(seconds, seconds)  # noqa: SLF001 - a copy of our own
        bounded._busy_seconds = 0.0  # noqa: SLF001
        return bounded

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Read one object; raises NotFound."""
        return self._call(Call("get", _path(kind, namespace, name), self._bounds.call))

    def list(
        self, kind: Kind, namespace: str | None = None, label_selector: str = ""
    ) -> ObjectList:
        """Read all objects of a kind as of now, in one namespace or (None) in all."""
        query = [("labelSelector", label_selector)] if label_selector else []
        path = _collection(kind, namespace)
        return _listed(kind, self._call(Call("get", path, self._bounds.list, query)))

    def apply(self, write: Write) -> Object:
        """Carry out one write; gives the object after it, for Delete the server's last answer."""
        match write:
            case Create():
                return self._create(write)
            case Patch():
                return self._patch(write)
            case Delete():
                return self._delete(write)

    def watch(
        self,
        kind: Kind,
        namespace: str | None,
        resource_version: str,
        timeout_seconds: int,
        *,
        name: str | None = None,
    ) -> Generator[WatchEvent]:
        """Follow all changes after `resource_version`; raises Gone when it is no longer kept.

        With `name`, only those of one object.

        Returns when the server has accepted the watch. The server ends the stream after
        `timeout_seconds`; one that does not counts as dead (Unreachable) a few seconds later.
        """
        query = [
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", resource_version),
            ("timeoutSeconds", str(timeout_seconds)),
            *([("fieldSelector", f"metadata.name={name}")] if name else []),
        ]
        call = Call("get", _collection(kind, namespace), self._bounds.call, query)
        return _events(self._wire.lines(call, timeout_seconds + WATCH_GRACE_SECONDS))

    def log(
        self, namespace: str, pod: str, query: Sequence[tuple[str, str]], seconds: float
    ) -> Iterator[bytes]:
        """Read the log of a pod, piece by piece, for `seconds` at most (then Unreachable).

        Returns when the node has begun to answer.
        """
        path = _path(Kind.POD, namespace, pod, "log")
        return self._wire.parts(Call("get", path, self._bounds.call, query), seconds)

    def socket(
        self,
        namespace: str,
        pod: str,
        subresource: str,
        query: Sequence[tuple[str, str]],
        protocols: Sequence[str],
    ) -> PodSocket:
        """Open a WebSocket to a pod: `exec` or `portforward`."""
        path = _path(Kind.POD, namespace, pod, subresource)
        return open_socket(self._wire.configuration, path, query, protocols)

    def interrupt(self, thread_id: int) -> None:
        """Break the call that a thread is waiting on; it raises Unreachable there."""
        self._wire.interrupt(thread_id)

    def close(self) -> None:
        """Close idle connections; the cluster can still be used and opens new ones."""
        self._wire.close()

    def _create(self, write: Create) -> Object:
        if write.subresource is None:
            path = _collection(write.kind, write.namespace)
        else:
            name = write.name or write.body.get("metadata", {}).get("name", "")
            path = _path(write.kind, write.namespace, name, write.subresource)
        return self._write("post", path, write.body)

    def _patch(self, write: Patch) -> Object:
        path = _path(write.kind, write.namespace, write.name, write.subresource)
        return self._write("patch", path, write.body, write.type.value)

    def _delete(self, write: Delete) -> Object:
        wanted = {"uid": write.uid, "resourceVersion": write.resource_version}
        preconditions = {key: value for key, value in wanted.items() if value is not None}
        options: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": write.propagation,
        }
        if preconditions:
            options["preconditions"] = preconditions
        if write.grace_seconds is not None:
            options["gracePeriodSeconds"] = write.grace_seconds
        path = _path(write.kind, write.namespace, write.name)
        return self._call(Call("delete", path, self._bounds.call, body=options))

    def _write(
        self,
        method: str,
        path: str,
        body: Object | Sequence[Object],
        content_type: str = "application/json",
    ) -> Object:
        query = [("fieldManager", self._field_manager)]
        return self._call(Call(method, path, self._bounds.call, query, _plain(body), content_type))

    def _call(self, call: Call) -> Object:
        latest = time.monotonic() + self._busy_seconds
        while True:
            try:
                return self._wire.call(call)
            except TooManyRequests as refused:
                if refused.retry_after is None or time.monotonic() + refused.retry_after > latest:
                    raise
                wait = max(refused.retry_after, SHORTEST_WAIT)
            time.sleep(wait)


def connect(
    *,
    kubeconfig: str | None = None,
    context: str | None = None,
    field_manager: str = FIELD_MANAGER,
    busy_seconds: float = 0.0,
) -> HttpCluster:
    """Connect as kubectl would: the file given, KUBECONFIG, ~/.kube/config, then the pod's own.

    Sends nothing. Raises NotConfigured, which names what was tried and the fix.
    """
    configuration, namespace = from_kubeconfig(kubeconfig, context)
    return HttpCluster(
        configuration,
        namespace=namespace,
        field_manager=field_manager,
        busy_seconds=busy_seconds,
    )


@cache
def _resource(kind: Kind) -> Resource:
    place = kind.value
    return Resource(
        prefix="apis" if place.group else "api",
        group=place.group,
        api_version=place.version,
        kind=place.kind,
        name=place.plural,
        namespaced=place.namespaced,
    )


def _collection(kind: Kind, namespace: str | None) -> str:
    if namespace is None or not kind.value.namespaced:
        return str(_resource(kind).path())
    return str(_resource(kind).path(namespace=_segment("metadata.namespace", namespace)))


def _path(kind: Kind, namespace: str, name: str, subresource: str | None = None) -> str:
    scope = _segment("metadata.namespace", namespace) if kind.value.namespaced else None
    path = _resource(kind).path(name=_segment("metadata.name", name), namespace=scope)
    return f"{path}/{subresource}" if subresource else str(path)


def _segment(field: str, value: str) -> str:
    """Make one segment of a path, never none or several.

    An empty name would read, or delete, the whole collection; `..` would leave it.
    """
    if value in ("", ".", "..") or "/" in value or "%" in value:
        raise Invalid(
            f"{field}: {value!r} cannot be a name in Kubernetes: give one without '/' and '%'",
            details={"causes": [{"field": field, "message": "not a path segment"}]},
        )
    return quote(value, safe="")


def _listed(kind: Kind, answer: Object) -> ObjectList:
    """Read a list; anything else must never pass for an empty one."""
    version = answer.get("metadata", {}).get("resourceVersion")
    if "items" not in answer or not version:
        raise Unreachable(f"this is not a list of {kind.value.plural}: {str(answer)[:80]!r}")
    named = {"apiVersion": kind.value.api_version, "kind": kind.value.kind}
    return ObjectList(tuple({**named, **item} for item in answer["items"] or ()), version)


def _events(lines: Generator[bytes]) -> Generator[WatchEvent]:
    with closing(lines):
        yield from map(_event, lines)


def _event(line: bytes) -> WatchEvent:
    try:
        event = json.loads(line)
        kind, thing = event["type"], event["object"]
        if kind != "ERROR":
            return WatchEvent(EventType(kind), thing)
    except (ValueError, KeyError, TypeError) as error:
        raise Unreachable(f"this is not an event of a watch: {line[:80]!r}") from error
    raise refusal(thing.get("code", 500), thing)


def _plain(value: Any) -> Any:
    """Copy a value into the dicts and lists that JSON knows: frozen mappings come in too."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
