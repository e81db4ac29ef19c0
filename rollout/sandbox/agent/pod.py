"""One pod from its binding to its end: the kubelet's part in it, as one readable sequence."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from rollout.kube.errors import ClusterError, NotFound, ServerFault, TooManyRequests, Unreachable
from rollout.resources.writes import Create, Delete, Kind, Object, Patch, PatchType, Write
from rollout.sandbox.agent.container import Container, Runtime
from rollout.sandbox.agent.network import ADDRESS_MAP
from rollout.sandbox.agent.spec import ContainerSpec, read_pod
from rollout.sandbox.agent.status import pod_status

log = structlog.get_logger(__name__)

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0

WriteCall = Callable[[Write], Awaitable[Object]]


@dataclass(frozen=True)
class Node:
    """The node as its pods see it; `write` sends one write to the API server."""

    name: str
    address: str
    runtime: Runtime
    write: WriteCall


class Pod:
    """Runs one pod. `update` feeds it what the API says, `vanish` that the object is gone."""

    def __init__(self, pod: Object, address: str, node: Node) -> None:
        self.address = address
        self._pod = pod
        self._node = node
        self._spec = read_pod(pod, address)
        self._deleted = asyncio.Event()
        self._gone = asyncio.Event()
        self._dirty = asyncio.Event()
        self._published: Mapping[str, Any] = {}
        self._initial = [self._container(spec, initial=True) for spec in self._spec.initial]
        self._containers = [self._container(spec) for spec in self._spec.containers]
        self.update(pod)

    def _container(self, spec: ContainerSpec, *, initial: bool = False) -> Container:
        runtime = self._node.runtime
        return Container(spec, self._spec, self.host, runtime, self._dirty.set, initial=initial)

    def update(self, pod: Object) -> None:
        """Take over the object as it is now."""
        self._pod = pod
        if "deletionTimestamp" in pod["metadata"]:
            self._deleted.set()

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self._spec.namespace, self._spec.name

    @property
    def host(self) -> str:
        """Where its processes listen."""
        return ADDRESS_MAP.reach(self.address)

    def container(self, name: str) -> Container | None:
        """Find a container by name."""
        everything = (*self._initial, *self._containers)
        return next((one for one in everything if one.status.name == name), None)

    def vanish(self) -> None:
        """Learn that the object is gone: nothing holds the processes any longer."""
        self._gone.set()
        self._deleted.set()

    async def run(self) -> None:
        """Bind, run, and on deletion stop and remove the object. Returns when the pod is over."""
        if not self._deleted.is_set() and await self._bind():
            async with asyncio.TaskGroup() as group:
                publishing = group.create_task(self._publish())
                running = group.create_task(self._work())
                self._dirty.set()
                await self._deleted.wait()
                publishing.cancel()
                await self._stop(running)
        if self._deleted.is_set():
            await self._remove()

    async def _work(self) -> None:
        for container in self._initial:
            await container.run()
            if not container.succeeded:
                return
        await asyncio.gather(*(container.run() for container in self._containers))

    async def _bind(self) -> bool:
        if self._pod["spec"].get("nodeName"):
            return True
        name, namespace = self._spec.name, self._spec.namespace
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name, "namespace": namespace, "uid": self._spec.uid},
            "target": {"apiVersion": "v1", "kind": "Node", "name": self._node.name},
        }
        write = Create(Kind.POD, namespace, binding, subresource="binding", name=name)
        return await self._persist(write)

    async def _publish(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            status = pod_status(
                {**self._pod, "status": self._published or self._pod.get("status") or {}},
                [container.status for container in self._containers],
                [container.status for container in self._initial],
                address=self.address,
                host=self._node.address,
                now=datetime.now(UTC),
            )
            if status != self._published:
                self._published = status
                await self._persist(self._status_patch(status))

    def _status_patch(self, status: Mapping[str, Any]) -> Patch:
        name, namespace = self._spec.name, self._spec.namespace
        body = {"metadata": {"uid": self._spec.uid}, "status": status}
        return Patch(Kind.POD, namespace, name, PatchType.MERGE, body, "status")

    async def _stop(self, running: "asyncio.Task[None]") -> None:
        everything = [*self._initial, *self._containers]
        grace = self._pod["metadata"].get("deletionGracePeriodSeconds", self._spec.grace)
        with suppress(TimeoutError):
            async with asyncio.timeout(0 if self._gone.is_set() else grace):
                await asyncio.gather(*(container.stop() for container in everything))
                await asyncio.wait([running])
        for container in everything:
            container.kill()
        await asyncio.wait([running])

    async def _remove(self) -> None:
        if not self._gone.is_set():
            name, namespace = self._spec.name, self._spec.namespace
            await self._persist(
                Delete(Kind.POD, namespace, name, uid=self._spec.uid, grace_seconds=0)
            )

    async def _persist(self, write: Write) -> bool:
        """Write, however long the server is away; False when the answer is a plain no."""
        pause = _FIRST_PAUSE
        while not self._gone.is_set():
            try:
                await self._node.write(write)
            except (Unreachable, ServerFault, TooManyRequests) as error:
                log.warning("cannot write a pod", pod=self._spec.name, why=str(error))
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
            except ClusterError as error:
                if not isinstance(error, NotFound):
                    log.warning("a write was refused", pod=self._spec.name, why=str(error))
                return False
            else:
                return True
        return False
