"""Hands configuration to Envoy, in an order that never leaves a route without its cluster.

Envoy's REST flavour of xDS, answered by long polls: a poll is held until there is news, and the
next poll says which version was applied. So changes arrive within milliseconds, nothing is
polled while nothing happens, and the edge *knows* what Envoy has applied. Files would be simpler
but acknowledge nothing, and each file costs an inotify instance, of which a machine has 128.

The order: clusters and endpoints first; routes only when Envoy has acknowledged every cluster
they lead to; clusters that no route leads to any more go after a while, so that requests on
their way can end.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog
from aiohttp import web

from rollout.sandbox.edge import resources
from rollout.sandbox.edge.resources import Json
from rollout.sandbox.edge.rules import Endpoint, Place, Table

log = structlog.get_logger(__name__)

Key = tuple[str, str]
_CLUSTERS: Final[Key] = ("clusters", "")
_ROUTES: Final[Key] = ("routes", resources.ROUTE_NAME)

_HOLD_SECONDS: Final = 25.0
_LINGER_SECONDS: Final = 60.0
_AGAIN_SECONDS: Final = 1.0
_SHUTDOWN_SECONDS: Final = 0.2


@dataclass
class Resource:
    """One resource that Envoy subscribes to, and how far Envoy is with it."""

    version: int = 0
    content: tuple[Json, ...] = ()
    applied: int = 0
    sent: int = 0
    sent_at: float = 0.0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, content: tuple[Json, ...]) -> None:
        """Replace the content; a new version only when it differs."""
        if self.version and content == self.content:
            return
        self.version += 1
        self.content = content
        self.changed.set()
        self.changed = asyncio.Event()


class Discovery:
    """Serves the table over xDS. Belongs to one event loop.

    `applied` is called with each set of routes that Envoy has acknowledged.
    """

    def __init__(self, applied: Callable[[Mapping[Place, Mapping[str, int]]], None]) -> None:
        self._on_applied = applied
        self._resources: dict[Key, Resource] = {}
        self._wanted = Table({}, {})
        self._published: dict[int, Mapping[Place, Mapping[str, int]]] = {}
        self._last_used: dict[str, float] = {}
        self._runner: web.AppRunner | None = None
        self._progress = asyncio.Event()
        self._sweep: asyncio.TimerHandle | None = None
        self._stopping = False

    async def listen(self, path: Path) -> None:
        """Serve on a Unix socket."""
        application = web.Application()
        application.router.add_post("/v3/discovery:{kind}", self._poll)
        self._runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS
        )
        await self._runner.setup()
        await web.UnixSite(self._runner, str(path)).start()

    async def close(self) -> None:
        """Stop serving."""
        self._stopping = True
        if self._sweep is not None:
            self._sweep.cancel()
        for resource in self._resources.values():
            resource.changed.set()
        if self._runner is not None:
            await self._runner.cleanup()

    def publish(self, table: Table) -> None:
        """Make this table the one to reach; steps that must wait are taken as Envoy answers."""
        self._wanted = table
        self._advance()

    def settled(self) -> bool:
        """Whether Envoy has applied all of the table."""
        routes = self._resource(_ROUTES)
        return (
            bool(routes.version)
            and self._published.get(routes.version) == self._wanted.routes
            and routes.applied == routes.version
            and all(self._is_current(("endpoints", name)) for name in self._wanted.clusters())
        )

    async def progress(self) -> None:
        """Wait until a table is published or Envoy acknowledges something."""
        await self._progress.wait()

    def _advance(self) -> None:
        self._progress.set()
        self._progress = asyncio.Event()
        for name, endpoints in self._wanted.endpoints.items():
            self._put_endpoints(name, endpoints)
        self._put_clusters()
        if all(self._is_applied(("endpoints", name)) for name in self._wanted.clusters()):
            self._put_routes()

    def _put_endpoints(self, name: str, endpoints: tuple[Endpoint, ...]) -> None:
        self._resource(("endpoints", name)).put((resources.assignment(name, endpoints),))

    def _put_clusters(self) -> None:
        now = time.monotonic()
        used = self._wanted.clusters().union(*(r.keys() for r in self._routes_in_use()))
        self._last_used |= dict.fromkeys(used, now)
        gone = [n for n, at in self._last_used.items() if at < now - _LINGER_SECONDS]
        for name in gone:
            del self._last_used[name]
            del self._resources["endpoints", name]
        self._resource(_CLUSTERS).put(tuple(resources.clusters(self._last_used)))
        if used != self._last_used.keys() and self._sweep is None:
            loop = asyncio.get_running_loop()
            self._sweep = loop.call_later(_LINGER_SECONDS + 1, self._sweep_clusters)

    def _sweep_clusters(self) -> None:
        self._sweep = None
        self._put_clusters()

    def _routes_in_use(self) -> list[Mapping[str, int]]:
        return [split for routes in self._published.values() for split in routes.values()]

    def _put_routes(self) -> None:
        routes = self._resource(_ROUTES)
        routes.put((resources.routes(self._wanted),))
        self._published[routes.version] = self._wanted.routes

    def _resource(self, key: Key) -> Resource:
        return self._resources.setdefault(key, Resource())

    def _is_applied(self, key: Key) -> bool:
        resource = self._resources.get(key)
        return resource is not None and resource.applied > 0

    def _is_current(self, key: Key) -> bool:
        resource = self._resources.get(key)
        return resource is not None and resource.applied == resource.version

    async def _poll(self, request: web.Request) -> web.Response:
        """Answer one poll: with news at once, or when some come, or 304 after a while."""
        body: Mapping[str, Any] = await request.json()
        kind = request.match_info["kind"]
        names = body.get("resource_names") or [""]
        key = (kind, names[0])
        resource = self._resource(key)
        known = int(body.get("version_info") or 0)
        self._acknowledge(key, resource, known)
        await self._await_news(key, resource, known)
        if self._stopping or not resource.version or resource.version == known:
            return web.Response(status=304)
        resource.sent, resource.sent_at = resource.version, time.monotonic()
        answer = {"version_info": str(resource.version), "resources": resource.content}
        return web.Response(text=json.dumps(answer), content_type="application/json")

    def _acknowledge(self, key: Key, resource: Resource, known: int) -> None:
        if known == resource.applied:
            return
        resource.applied = known
        if key == _ROUTES and known in self._published:
            self._published = {v: r for v, r in self._published.items() if v >= known}
            self._on_applied(self._published[known])
        self._advance()

    async def _await_news(self, key: Key, resource: Resource, known: int) -> None:
        is_news = resource.version > known
        if is_news and resource.sent != resource.version:
            return
        seconds = _HOLD_SECONDS
        if is_news:
            seconds = self._suspect(key, resource, known)
        try:
            async with asyncio.timeout(seconds):
                await resource.changed.wait()
        except TimeoutError:
            return

    def _suspect(self, key: Key, resource: Resource, known: int) -> float:
        """Say how long to hold a version that was sent and is asked for again, in seconds.

        With a version in hand Envoy has refused it, and sending it again in a loop would help
        nobody. Without one it is a new subscription, or the first version that was refused.
        """
        if known:
            log.error("Envoy refused a configuration", resource=key, version=resource.version)
            return _HOLD_SECONDS
        return max(0.0, resource.sent_at + _AGAIN_SECONDS - time.monotonic())
