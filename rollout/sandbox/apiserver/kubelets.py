"""What the API server asks nodes for: logs of a pod, commands in it, connections to its ports.

As in Kubernetes nothing of it is stored here. The node is found by the pod, its server by the
Node's status; what it says goes through as it comes.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from aiohttp import WSMsgType, web

from rollout.kube.errors import Refused, ServerFault
from rollout.resources.objects import name_of
from rollout.resources.writes import Object
from rollout.sandbox.apiserver.asks import Ask
from rollout.simulate import refusals
from rollout.simulate.cluster import SimulatedCluster
from rollout.simulate.objects import dig

PARTS: Final = frozenset({"log", "exec", "portforward"})
CONNECT_SECONDS: Final = 3.0
CHUNK: Final = 1 << 16
_LOG_OPTIONS: Final = (
    *("follow", "previous", "timestamps"),
    *("tailLines", "sinceSeconds", "sinceTime", "limitBytes"),
)
_STREAMS: Final = {"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"}
"""Names of the streams, as clients and as kubelets say them."""

Query = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class _Place:
    """Where a kubelet is asked."""

    url: str
    query: Query


class Kubelets:
    """Speaks to the nodes' servers with a token of the API server's own."""

    def __init__(self, cluster: SimulatedCluster, token: str) -> None:
        self._cluster = cluster
        self._headers = {"Authorization": f"Bearer {token}"}
        self._opened: aiohttp.ClientSession | None = None

    async def close(self, _: object = None) -> None:
        """End all connections."""
        if self._opened is not None:
            await self._opened.close()

    async def answer(self, request: web.Request, ask: Ask) -> web.StreamResponse:
        """Answer what is asked of a pod's node. Raises Refused."""
        with self._cluster.lock:
            pod = self._cluster.registry.get(ask.view.api, ask.namespace, ask.target.name)
            node = dig(pod, "spec", "nodeName")
            part = ask.target.subresource
            if part == "log" and not node:
                return web.Response(text="")
            place = self._place(request, pod, str(node or ""), part)
        return await (self._log if part == "log" else self._upgraded)(request, place)

    def _place(self, request: web.Request, pod: Object, node: str, part: str) -> _Place:
        namespace, name = str(pod["metadata"]["namespace"]), name_of(pod)
        at = self._address(name, node)
        if part == "portforward":
            ports = ",".join(request.query.getall("ports", []))
            return _Place(f"{at}/portForward/{namespace}/{name}", [("port", ports)])
        container = _container(pod, request.query.get("container", ""))
        if part == "log":
            asked = [(key, request.query[key]) for key in _LOG_OPTIONS if key in request.query]
            return _Place(f"{at}/containerLogs/{namespace}/{name}/{container}", asked)
        streams = [
            (theirs, "1")
            for ours, theirs in _STREAMS.items()
            if request.query.get(ours) in {"true", "1"}
        ]
        command = [("command", word) for word in request.query.getall("command", [])]
        return _Place(f"{at}/exec/{namespace}/{name}/{container}", [*streams, *command])

    def _address(self, pod: str, node: str) -> str:
        registry = self._cluster.registry
        if not node:
            raise refusals.bad_request(f"pod {pod} does not have a host assigned")
        found = registry.get(registry.catalog.by_key("nodes"), "", node)
        port = dig(found, "status", "daemonEndpoints", "kubeletEndpoint", "Port")
        addresses = dig(found, "status", "addresses") or []
        hosts = [str(a["address"]) for a in addresses if a.get("type") == "InternalIP"]
        if not port or not hosts:
            raise ServerFault(f"no preferred addresses found; node {node} says of no server")
        return f"http://{hosts[0]}:{port}"

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
            self._opened = aiohttp.ClientSession(timeout=timeout, headers=self._headers)
        return self._opened

    async def _log(self, request: web.Request, place: _Place) -> web.StreamResponse:
        try:
            async with self._session().get(place.url, params=place.query) as given:
                if given.status != 200:  # noqa: PLR2004 - OK
                    raise _refusal(given.status, await given.text())
                return await _passed_on(request, given)
        except aiohttp.ClientError as error:
            raise ServerFault(f'Get "{place.url}": {error}') from error

    async def _upgraded(self, request: web.Request, place: _Place) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise refusals.bad_request(
                "Upgrade request required: the practice API server takes WebSockets"
            )
        header = request.headers.get("Sec-WebSocket-Protocol", "")
        protocols = [part.strip() for part in header.split(",") if part.strip()]
        session = self._session()
        try:
            node = await session.ws_connect(
                place.url, params=place.query, protocols=protocols, max_msg_size=0
            )
        except aiohttp.WSServerHandshakeError as error:
            async with session.get(place.url, params=place.query, headers=_offer(header)) as given:
                raise _refusal(error.status, await given.text()) from error
        except aiohttp.ClientError as error:
            raise ServerFault(f"error dialing backend: {error}") from error
        client = web.WebSocketResponse(protocols=(node.protocol or "",), max_msg_size=0)
        await client.prepare(request)
        await _joined(client, node)
        return client


def _offer(header: str) -> dict[str, str]:
    return {"Sec-WebSocket-Protocol": header} if header else {}


def _container(pod: Object, asked: str) -> str:
    """Name the container that is meant, or say why that cannot be told, as Kubernetes does."""
    spec, pod_name = pod["spec"], name_of(pod)
    names = [str(c["name"]) for c in spec.get("containers") or ()]
    if not asked:
        if len(names) == 1:
            return names[0]
        raise refusals.bad_request(
            f"a container name must be specified for pod {pod_name}, choose one of: "
            f"[{' '.join(names)}]"
        )
    every = [*names, *(str(c["name"]) for c in spec.get("initContainers") or ())]
    if asked not in every:
        raise refusals.bad_request(f"container {asked} is not valid for pod {pod_name}")
    return asked


def _refusal(status: int, text: str) -> Refused:
    if status == 400:  # noqa: PLR2004 - bad request
        return refusals.bad_request(text)
    return ServerFault(text, status=500)


async def _passed_on(request: web.Request, given: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    try:
        async for part in given.content.iter_any():
            await response.write(part)
        await response.write_eof()
    except ConnectionError:
        return response  # the reader has gone
    return response


async def _joined(client: web.WebSocketResponse, node: aiohttp.ClientWebSocketResponse) -> None:
    """Pass messages both ways until one side ends."""
    ways = [asyncio.create_task(_pass(client, node)), asyncio.create_task(_pass(node, client))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        await node.close()
        await client.close()


async def _pass(source: Any, sink: Any) -> None:
    try:
        async for message in source:
            if message.type is WSMsgType.BINARY:
                await sink.send_bytes(message.data)
            elif message.type is WSMsgType.TEXT:
                await sink.send_str(message.data)
    except ConnectionError:
        return
