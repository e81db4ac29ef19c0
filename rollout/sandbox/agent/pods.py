"""All pods of the node: which are ours, where there is room, and the end of each."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from rollout.kube.cache import Change
from rollout.kube.errors import ClusterError
from rollout.resources.writes import Kind, Object, Patch, PatchType
from rollout.sandbox.agent.container import Runtime
from rollout.sandbox.agent.environment import Found, Source
from rollout.sandbox.agent.network import NetworkError, PodNetwork
from rollout.sandbox.agent.node import ADDRESS
from rollout.sandbox.agent.pod import Node, Pod, WriteCall
from rollout.sandbox.agent.processes import Processes
from rollout.sandbox.agent.settings import Settings
from rollout.sandbox.agent.status import unschedulable

log = structlog.get_logger(__name__)

_SCHEDULER: Final = "default-scheduler"
_OVER: Final = {"Succeeded", "Failed"}


class Pods:
    """Follows the pods of the API and runs those of this node. Belongs to one event loop."""

    def __init__(
        self,
        settings: Settings,
        network: PodNetwork,
        write: WriteCall,
        sources: Callable[[str, frozenset[Source]], Awaitable[Found]],
        names: Callable[[], Awaitable[Path]],
    ) -> None:
        self._settings = settings
        self._sources = sources
        self._names = names
        self._network = network
        self._write = write
        self._processes = Processes()
        self._temporary = None if settings.logs else tempfile.TemporaryDirectory("-pods")
        self._node = Node(settings.node, ADDRESS, self._runtime(), write)
        self._running: dict[str, Pod] = {}
        self._waiting: dict[str, Object] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Kill every process, leaving the objects as they are."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._processes.close()
        if self._temporary:
            self._temporary.cleanup()

    def find(self, namespace: str, name: str) -> Pod | None:
        """Find a pod that runs here."""
        found = (pod for pod in self._running.values() if pod.key == (namespace, name))
        return next(found, None)

    def follow(self, change: Change) -> None:
        """Take over one change of a pod."""
        gone = change.old
        if gone is not None and (change.new is None or _uid(gone) != _uid(change.new)):
            self._vanished(_uid(gone))
        if change.new is not None:
            self._see(change.new)

    def _see(self, pod: Object) -> None:
        uid = _uid(pod)
        if uid in self._running:
            self._running[uid].update(pod)
        elif uid in self._waiting:
            self._waiting[uid] = pod
        elif self._is_ours(pod):
            self._admit(pod)

    def _vanished(self, uid: str) -> None:
        self._waiting.pop(uid, None)
        if uid in self._running:
            self._running[uid].vanish()

    def _is_ours(self, pod: Object) -> bool:
        deleted = "deletionTimestamp" in pod["metadata"]
        if (pod.get("status") or {}).get("phase") in _OVER and not deleted:
            return False
        node = pod["spec"].get("nodeName")
        if node:
            return bool(node == self._settings.node)
        return not deleted and pod["spec"].get("schedulerName", _SCHEDULER) == _SCHEDULER

    def _admit(self, pod: Object) -> None:
        try:
            address = self._address(pod)
        except NetworkError as error:
            self._waiting[_uid(pod)] = pod
            self._spawn(self._refuse(pod, str(error)))
            return
        ours = self._running[_uid(pod)] = Pod(pod, address, self._node)
        self._spawn(self._live(_uid(pod), ours))

    def _address(self, pod: Object) -> str:
        """Give a pod the address it had, when this agent took over, or a new one."""
        known = (pod.get("status") or {}).get("podIP")
        if known and self._network.take(known):
            return str(known)
        if len(self._running) >= self._settings.max_pods:
            raise NetworkError("0/1 nodes are available: 1 Too many pods.")
        return self._network.allocate()

    async def _live(self, uid: str, pod: Pod) -> None:
        try:
            await pod.run()
        finally:
            del self._running[uid]
            self._network.release(pod.address)
            self._admit_next()

    def _admit_next(self) -> None:
        if self._waiting and len(self._running) < self._settings.max_pods:
            self._admit(self._waiting.pop(next(iter(self._waiting))))

    async def _refuse(self, pod: Object, why: str) -> None:
        metadata = pod["metadata"]
        status = {"status": unschedulable(pod, why, datetime.now(UTC))}
        try:
            await self._write(
                Patch(
                    Kind.POD,
                    metadata["namespace"],
                    metadata["name"],
                    PatchType.MERGE,
                    status,
                    "status",
                )
            )
        except ClusterError as error:
            log.warning("cannot say that a pod waits", pod=metadata["name"], why=str(error))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("a pod was lost by a fault of the agent", exc_info=error)

    def _runtime(self) -> Runtime:
        logs = self._settings.logs or Path(self._temporary.name if self._temporary else ".")
        return Runtime(
            self._processes,
            logs,
            self._settings.back_off,
            self._sources,
            self._names,
            self._settings.programs,
        )


def _uid(pod: Object) -> str:
    return str(pod["metadata"]["uid"])
