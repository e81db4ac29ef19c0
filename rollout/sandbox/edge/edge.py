"""The practice cluster's ingress controller: follows the API, drives a real Envoy.

Reflectors keep the objects; every change works the whole table out anew (a millisecond) and
hands it to `Discovery`, which knows what Envoy has applied. One thread owns the event loop, the
xDS server and the Envoy process.
"""

import asyncio
import json
import tempfile
import threading
import time
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from rollout.kube.cache import Change
from rollout.kube.cluster import RemoteCluster
from rollout.kube.errors import AlreadyExists
from rollout.kube.reflector import Reflector
from rollout.resources.writes import Create, Kind
from rollout.sandbox.edge.envoy import Envoy
from rollout.sandbox.edge.resources import Bootstrap
from rollout.sandbox.edge.rules import Dialect, Place, Table, World, read
from rollout.sandbox.edge.xds import Discovery

T = TypeVar("T")
Routes = Mapping[Place, Mapping[str, int]]

_SYNC_SECONDS: Final = 15.0
_ASK_SECONDS: Final = 20.0
_KINDS: Final = (Kind.INGRESS, Kind.INGRESS_CLASS, Kind.SERVICE, Kind.ENDPOINT_SLICE)


@dataclass(frozen=True)
class Settings:
    """How an edge is set up. Port 0 means any free one; `namespace` None means all.

    The IngressClass `ingress_class` is created when it is not there (None: leave it).
    """

    namespace: str | None = None
    port: int = 0
    admin_port: int = 0
    ingress_class: str | None = "nginx"
    dialect: Dialect = field(default_factory=Dialect)
    stats_seconds: float = 1.0


class Edge:
    """Serves the Ingresses of a cluster on 127.0.0.1 between `start` and `stop`."""

    def __init__(self, cluster: RemoteCluster, settings: Settings | None = None) -> None:
        self._cluster = cluster
        self._settings = settings or Settings()
        self._reflectors = {
            kind: Reflector(cluster, kind, self._settings.namespace, self._on_change)
            for kind in _KINDS
        }
        self._folder = tempfile.TemporaryDirectory(prefix="edge-")
        self._failures = Path(self._folder.name) / "failures.log"
        self._applied: tuple[float, Routes] = (0.0, {})
        self._thread = threading.Thread(target=self._run, name="edge", daemon=True)
        self._serving = threading.Event()
        self._failed: Exception | None = None
        self._loop: asyncio.AbstractEventLoop
        self._changed: asyncio.Event
        self._stopping: asyncio.Event
        self._discovery: Discovery
        self._envoy: Envoy

    @property
    def url(self) -> str:
        """Where it serves; choose an Ingress by the Host header."""
        return f"http://127.0.0.1:{self._envoy.port}"

    @property
    def admin_url(self) -> str:
        """Envoy's admin interface; `/stats/prometheus` has a series per Service port."""
        return f"http://{self._envoy.admin}"

    @property
    def applied(self) -> tuple[float, Routes]:
        """The routes that Envoy has acknowledged last, and when (unix seconds)."""
        return self._applied

    def weights(self, host: str, path: str = "/") -> Mapping[str, int]:
        """Weights by cluster that Envoy has applied to a host and path, in 1/100 percent."""
        found = (split for p, split in self._applied[1].items() if (p.host, p.path) == (host, path))
        return next(found, {})

    def start(self) -> Self:
        """Take over the cluster's Ingresses; returns when Envoy serves them all.

        Raises ClusterError, EnvoyError, or TimeoutError when the server does not list objects.
        """
        self._create_class()
        self._thread.start()
        self._serving.wait(_SYNC_SECONDS)
        for reflector in self._reflectors.values():
            reflector.start()
        try:
            self._await_sync()
            self._call(self._open())
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop Envoy at once; connections break, as when a proxy goes down."""
        for reflector in self._reflectors.values():
            reflector.stop()
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(_ASK_SECONDS)
        self._folder.cleanup()

    def settle(self, seconds: float = 10.0) -> None:
        """Wait until Envoy has applied all that is known of the API. Raises TimeoutError."""
        self._call(self._settle(seconds))

    def stats(self) -> str:
        """Envoy's counters in the Prometheus text format."""
        return self._call(self._envoy.ask("/stats/prometheus"))

    def failures(self) -> list[Mapping[str, Any]]:
        """Answers of 500 and above, each with Envoy's word for what went wrong."""
        self._call(self._envoy.ask("/stats?filter=^server.live$"))  # lets it write its log
        if not self._failures.exists():
            return []
        return [json.loads(line) for line in self._failures.read_text().splitlines()]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _create_class(self) -> None:
        if self._settings.ingress_class is None:
            return
        body = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {"name": self._settings.ingress_class},
            "spec": {"controller": self._settings.dialect.controller},
        }
        with suppress(AlreadyExists):
            self._cluster.apply(Create(Kind.INGRESS_CLASS, "", body))

    def _await_sync(self) -> None:
        deadline = time.monotonic() + _SYNC_SECONDS
        for kind, reflector in self._reflectors.items():
            if not reflector.synced.wait(max(0.0, deadline - time.monotonic())):
                plural, why = kind.value.plural, reflector.problem
                raise TimeoutError(f"no list of {plural} after {_SYNC_SECONDS:g} s: {why}")

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed, self._stopping = asyncio.Event(), asyncio.Event()
        self._discovery = Discovery(self._on_applied)
        socket = Path(self._folder.name) / "xds.sock"
        await self._discovery.listen(socket)
        self._envoy = Envoy(
            Path(self._folder.name),
            Bootstrap(
                socket,
                self._failures,
                self._settings.port,
                self._settings.admin_port,
                self._settings.stats_seconds,
            ),
        )
        self._envoy.launch()  # on this thread: Envoy lives exactly as long as it
        self._serving.set()
        try:
            await self._stopping.wait()
        finally:
            self._envoy.stop()
            await self._discovery.close()

    async def _open(self) -> None:
        self._following = asyncio.create_task(self._follow())
        self._changed.set()
        await self._envoy.ready()
        await self._settle(_ASK_SECONDS)

    async def _follow(self) -> None:
        """Publish after every change; changes that came together are published together."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            self._discovery.publish(self._table())

    def _table(self) -> Table:
        ingresses, classes, services, slices = (self._reflectors[k].list() for k in _KINDS)
        return read(World(ingresses, classes, services, slices), self._settings.dialect)

    async def _settle(self, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while self._changed.is_set() or not self._discovery.settled():
                await self._discovery.progress()

    def _on_change(self, change: Change) -> None:
        del change  # what happened does not matter, only how things are now
        self._loop.call_soon_threadsafe(self._changed.set)

    def _on_applied(self, routes: Routes) -> None:
        self._applied = (time.time(), routes)

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_ASK_SECONDS)
