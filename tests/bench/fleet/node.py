"""A node without processes: hundreds of pods get ready by their status alone.

What the figures are about is the controller; a thousand real processes would only measure the
machine. Everything else is real: API server, controllers, Prometheus.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Final, Self

from rollout.kube.cache import Change
from rollout.kube.client import HttpCluster
from rollout.kube.errors import ClusterError, Conflict, NotFound
from rollout.kube.reflector import Reflector
from rollout.resources.objects import is_terminating, labels_of, name_of, namespace_of, uid_of
from rollout.resources.words import TRACK
from rollout.resources.writes import Create, Delete, Kind, Object, Patch, PatchType
from tests.conformance.kubelet import addresses, calls

NAME: Final = "bench"
WRITERS: Final = 8
SYNC_SECONDS: Final = 60.0


class Node:
    """Binds pods and reports them ready; those told to stop are gone at once."""

    def __init__(self, cluster: HttpCluster) -> None:
        self._cluster = cluster
        self._free = addresses()
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self.pods: dict[str, Object] = {}
        """Pods that are ready, by uid."""
        self._writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="node")
        self._reflector = Reflector(cluster, Kind.POD, None, self._changed)

    def __enter__(self) -> Self:
        body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NAME}}
        self._cluster.apply(Create(Kind.NODE, "", body))
        self._reflector.start()
        if not self._reflector.synced.wait(SYNC_SECONDS):
            raise TimeoutError(f"no list of pods: {self._reflector.problem}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._reflector.stop()
        self._writers.shutdown(cancel_futures=True)

    def _changed(self, change: Change) -> None:
        pod = change.new
        if pod is None:
            return
        ends = is_terminating(pod)
        step = f"{uid_of(pod)} {'ends' if ends else 'starts'}"
        with self._lock:
            if step in self._seen:
                return
            self._seen.add(step)
        self._writers.submit(self._tend, pod, ends)

    def _tend(self, pod: Object, ends: bool) -> None:  # noqa: FBT001 - one of two jobs
        try:
            if ends:
                self.pods.pop(uid_of(pod), None)
                gone = Delete(Kind.POD, namespace_of(pod), name_of(pod), grace_seconds=0)
                self._cluster.apply(gone)
            else:
                for write in self._started(pod):
                    self._cluster.apply(write)
                self.pods[uid_of(pod)] = pod
        except (NotFound, Conflict):
            return  # it was deleted meanwhile
        except ClusterError as error:
            print(f"the node failed at {name_of(pod)}: {error}", flush=True)

    def _started(self, pod: Object) -> Iterator[Create | Patch]:
        space, name = namespace_of(pod), name_of(pod)
        with self._lock:
            found = list(calls("ready", {"status": {}, **pod}, NAME, self._free))
        for call in found:
            if call.verb == "POST":
                yield Create(Kind.POD, space, call.body, subresource="binding", name=name)
            else:
                yield Patch(Kind.POD, space, name, PatchType.STRATEGIC, call.body, "status")


def sides(pods: dict[str, Object]) -> Iterator[tuple[str, str, bool]]:
    """Give namespace, name and whether it is a candidate's, of each pod."""
    for pod in list(pods.values()):
        yield namespace_of(pod), name_of(pod), TRACK in labels_of(pod)
