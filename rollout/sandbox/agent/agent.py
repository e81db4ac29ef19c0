"""The node agent: kubelet and scheduler in small, for pods that are local processes.

It knows the cluster only through the API. One thread with an event loop runs all pods; the
reflector's thread hands changes over to it; writes go through a few threads of their own, so
that a slow API server delays no probe.
"""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Self

from rollout.kube.cache import Change
from rollout.kube.cluster import RemoteCluster
from rollout.kube.errors import ClusterError, NotFound
from rollout.kube.reflector import Reflector
from rollout.resources.writes import Kind, Object, Write
from rollout.sandbox.agent.environment import Found, Source
from rollout.sandbox.agent.kubelet import FEATURES, Kubelet, may_in
from rollout.sandbox.agent.names import Names
from rollout.sandbox.agent.network import PodNetwork
from rollout.sandbox.agent.node import Endpoint, register
from rollout.sandbox.agent.pods import Pods
from rollout.sandbox.agent.settings import Settings

_WRITERS: Final = 4
_START_SECONDS: Final = 15.0
_STOP_SECONDS: Final = 10.0


class NodeAgent:
    """Runs the pods of a cluster as local processes between `start` and `stop`."""

    def __init__(self, cluster: RemoteCluster, settings: Settings | None = None) -> None:
        self._cluster = cluster
        self._settings = settings or Settings()
        self._reflector = Reflector(cluster, Kind.POD, self._settings.namespace, self._on_change)
        self._thread = threading.Thread(target=self._run, name="node-agent", daemon=True)
        self._serving = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._power_off: asyncio.Event
        self._network: PodNetwork
        self._pods: Pods
        self._port = 0
        self._writers = ThreadPoolExecutor(_WRITERS, "node-agent-write")
        self._names = Names(cluster, self._settings.namespace)

    @property
    def pod_cidr(self) -> str:
        """The block of pod addresses that is in use."""
        return str(self._network.block)

    def start(self) -> Self:
        """Register the node and take over its pods; returns when all pods are known.

        Raises ClusterError when the node is refused, NetworkError when there are no addresses,
        TimeoutError when the server does not list pods, OSError for unusable TLS files.
        """
        if self._settings.tls is not None:
            self._settings.tls.context()
        self._network = PodNetwork(self._settings.pod_cidr)
        self._thread.start()
        self._serving.wait(_START_SECONDS)
        try:
            self._register()
        except ClusterError:
            self._end()
            raise
        self._reflector.start()
        if not self._reflector.synced.wait(_START_SECONDS):
            self.stop()
            why = self._reflector.problem
            raise TimeoutError(f"no list of pods after {_START_SECONDS:g} s: {why}")
        return self

    def stop(self) -> None:
        """Kill all processes, leaving the objects as they are: a node that lost its power."""
        self._reflector.stop()
        self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._power_off.set)
        self._thread.join(_STOP_SECONDS)
        self._writers.shutdown(cancel_futures=True)
        self._names.stop()
        self._network.close()

    def _register(self) -> None:
        settings = self._settings
        endpoint = Endpoint(self._network.node, self._port, FEATURES)
        register(self._cluster, settings.node, self.pod_cidr, settings.max_pods, endpoint)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._power_off = asyncio.Event()
        self._pods = Pods(
            self._settings, self._network, self._write, self._sources, self._find_names
        )
        kubelet = Kubelet(self._pods, self._settings.tls, self._reviewed)
        self._port = await kubelet.start(self._network.node)
        self._serving.set()
        await self._power_off.wait()
        await kubelet.stop()
        await self._pods.close()

    def _on_change(self, change: Change) -> None:
        self._loop.call_soon_threadsafe(self._pods.follow, change)

    async def _reviewed(self, token: str) -> bool:
        return await self._loop.run_in_executor(self._writers, may_in, self._cluster, token)

    async def _write(self, write: Write) -> Object:
        return await self._loop.run_in_executor(self._writers, self._cluster.apply, write)

    async def _sources(self, namespace: str, sources: frozenset[Source]) -> Found:
        def read() -> Found:
            return {source: self._read(namespace, source) for source in sources}

        return await self._loop.run_in_executor(self._writers, read)

    def _read(self, namespace: str, source: Source) -> Object | None:
        try:
            return self._cluster.get(source.kind, namespace, source.name)
        except NotFound:
            return None

    async def _find_names(self) -> Path:
        await self._loop.run_in_executor(self._writers, self._names.start)
        return self._names.file
