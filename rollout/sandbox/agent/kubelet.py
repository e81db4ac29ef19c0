"""The node's own server: logs, commands and ports of its pods, asked for by the API server.

A kubelet serves TLS and asks for a certificate of the API server's, or for a bearer token that the
API server itself vouches for. Both ways are here, because whoever gets in may run commands as the
user of the practice cluster. The practice API server has no certificates: it comes with a token.
The node declares `ExtendWebSocketsToKubelet`, so that Kubernetes 1.36 and later hand WebSockets
through; plain SPDY, which older ones speak to kubelets, is refused.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from rollout.kube.cluster import Cluster
from rollout.kube.errors import ClusterError
from rollout.kube.reviews import Access, may, who_is
from rollout.sandbox.agent.channels import ERROR, STDERR, STDOUT, V4, V5, Channels, asked_protocols
from rollout.sandbox.agent.commands import ExecOptions, execute
from rollout.sandbox.agent.container import Container
from rollout.sandbox.agent.forward import forward
from rollout.sandbox.agent.logs import BadOptionError, LogOptions, read_log
from rollout.sandbox.agent.pod import Pod
from rollout.sandbox.agent.pods import Pods
from rollout.sandbox.agent.status import Waiting
from rollout.sandbox.agent.tls import Tls
from rollout.sandbox.agent.tunnel import PROTOCOL, Tunnel

FEATURES: Final = ("ExtendWebSocketsToKubelet",)
TRUSTED_SECONDS: Final = 60.0
"""How long an answer about a token is remembered."""
CLOSE_SECONDS: Final = 0.5

Reviewed = Callable[[str], Awaitable[bool]]


def may_in(cluster: Cluster, token: str) -> bool:
    """Ask the API server whether a token is that of somebody who may use nodes."""
    try:
        person = who_is(cluster, token)
        return may(cluster, person, Access("create", "", "nodes/proxy", group=""))
    except ClusterError:
        return False


class Kubelet:
    """Serves what the API server asks of one node. Belongs to one event loop."""

    def __init__(self, pods: Pods, tls: Tls | None, reviewed: Reviewed) -> None:
        self._pods = pods
        self._tls = tls
        self._reviewed = reviewed
        self._trusted: dict[str, float] = {}
        self._runner: web.AppRunner | None = None

    async def start(self, host: str) -> int:
        """Listen on a free port, and say which. Raises OSError."""
        application = web.Application()
        application.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._logs)
        for method in ("GET", "POST"):
            route = application.router.add_route
            route(method, "/exec/{namespace}/{pod}/{container}", self._exec)
            route(method, "/portForward/{namespace}/{pod}", self._forward)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=CLOSE_SECONDS)
        await runner.setup()
        context = self._tls.context() if self._tls else None
        await web.TCPSite(runner, host, 0, ssl_context=context).start()
        self._runner = runner
        return int(runner.addresses[0][1])

    async def stop(self) -> None:
        """End all that is under way."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        pod, container = await self._container(request)
        try:
            options = LogOptions.read(request.query, datetime.now(UTC))
        except BadOptionError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        path = container.log(previous=options.previous)
        if path is None or not path.exists():
            raise web.HTTPBadRequest(text=_no_log(pod, container, options))
        process = None if options.previous else container.process
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        ended = lambda: process is None or process.exited.done()  # noqa: E731
        try:
            async for piece in read_log(path, options, ended):
                await response.write(piece)
            await response.write_eof()
        except ConnectionError:
            return response  # the reader has gone
        return response

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        _, container = await self._container(request)
        process, command = container.process, request.query.getall("command", [])
        if process is None:
            raise web.HTTPInternalServerError(
                text=f"unable to upgrade connection: container not found "
                f'("{request.match_info["container"]}")'
            )
        if not command:
            raise web.HTTPBadRequest(text="you must specify at least 1 command")
        streams = (_on(request, name) for name in ("input", "output", "error", "tty"))
        options = ExecOptions(command, *streams)
        channels = await _opened(request, V5, V4)
        await channels.send(STDOUT if options.stdout else STDERR if options.stderr else ERROR)
        environment = {"HOSTNAME": request.match_info["pod"], **container.environment}
        await execute(options, environment, channels, asyncio.shield(process.exited))
        await channels.close()
        return channels.response

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        pod = await self._pod(request)
        if PROTOCOL in asked_protocols(request):
            return await Tunnel(pod.host).serve(request)
        said = ",".join([*request.query.getall("port", []), *request.query.getall("ports", [])])
        ports = [int(part) for part in said.split(",") if part.isdigit()]
        if not ports:
            raise web.HTTPBadRequest(text='query parameter "port" is required')
        channels = await _opened(request, V4)
        await forward(pod.host, ports, channels)
        await channels.close()
        return channels.response

    async def _pod(self, request: web.Request) -> Pod:
        await self._admit(request)
        namespace, name = request.match_info["namespace"], request.match_info["pod"]
        pod = self._pods.find(namespace, name)
        if pod is None:
            raise web.HTTPNotFound(text=f"pod does not exist: {namespace}/{name}")
        return pod

    async def _container(self, request: web.Request) -> tuple[Pod, Container]:
        pod, name = await self._pod(request), request.match_info["container"]
        container = pod.container(name)
        if container is None:
            raise web.HTTPNotFound(text=f'container "{name}" not found in pod "{pod.key[1]}"')
        return pod, container

    async def _admit(self, request: web.Request) -> None:
        """Let in who has shown a certificate, or a token that the API server vouches for."""
        if self._tls is not None:
            return
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and await self._trusts(token.strip()):
            return
        raise web.HTTPUnauthorized(text="Unauthorized")

    async def _trusts(self, token: str) -> bool:
        now = time.monotonic()
        if self._trusted.get(token, 0.0) > now:
            return True
        if not await self._reviewed(token):
            return False
        self._trusted = {token: now + TRUSTED_SECONDS}
        return True


def _on(request: web.Request, name: str) -> bool:
    return request.query.get(name) in {"1", "true"}


async def _opened(request: web.Request, *protocols: str) -> Channels:
    """Answer the handshake in the first of the client's protocols that is known."""
    offered = asked_protocols(request)
    if not set(offered) & set(protocols):
        raise web.HTTPBadRequest(
            text=f"the practice node speaks WebSocket with {' or '.join(protocols)}; "
            f"asked for: {', '.join(offered) or request.headers.get('Upgrade', 'no upgrade')}"
        )
    channels = Channels(*(one for one in offered if one in protocols))
    await channels.open(request)
    return channels


def _no_log(pod: Pod, container: Container, options: LogOptions) -> str:
    name, state = container.status.name, container.status.state
    if options.previous:
        return f'previous terminated container "{name}" in pod "{pod.key[1]}" not found'
    reason = state.reason if isinstance(state, Waiting) else "ContainerCreating"
    what = "trying and failing to pull image" if "ImagePull" in reason else reason
    begun = "is waiting to start: " if what == reason else "is "
    return f'container "{name}" in pod "{pod.key[1]}" {begun}{what}'
