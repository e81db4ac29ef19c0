"""The composition root: settings, threads, the leader gate, signals, and the order of stopping."""

import signal
import threading
import time
from dataclasses import dataclass, field
from types import FrameType
from typing import Final

import structlog

from rollout.controller.caches import Caches
from rollout.controller.clock import RESYNC, Clock
from rollout.controller.collect import Collector
from rollout.controller.execute import Executor, LeaseLostError
from rollout.controller.http import Probes
from rollout.controller.metrics import Telemetry
from rollout.controller.queue import Key, WorkQueue
from rollout.controller.reconcile import Reconciler
from rollout.controller.wake import concerned, is_urgent
from rollout.kube.cache import Change
from rollout.kube.client import HttpCluster
from rollout.kube.events import Recorder
from rollout.kube.lease import Durations, Elector, unique_identity
from rollout.metrics.addresses import AddressMap
from rollout.resources.writes import Delete, Kind, Object, Write

log = structlog.get_logger(__name__)

STUCK_AFTER: Final = 120.0
"""Seconds that one pass may take before the process counts as unhealthy."""


@dataclass(frozen=True)
class Settings:
    """How a controller runs. `namespace` None: all namespaces."""

    namespace: str | None = None
    lease_namespace: str = "default"
    lease_name: str = "rollout-controller"
    identity: str = field(default_factory=unique_identity)
    durations: Durations = field(default_factory=Durations)
    bind: str = "127.0.0.1"
    port: int = 0
    workers: int = 4
    addresses: AddressMap = field(default_factory=AddressMap.identity)


class Controller:
    """A controller process: reflectors always run; workers and metrics only while it leads."""

    def __init__(self, cluster: HttpCluster, settings: Settings) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self._lost = False
        self._began: dict[int, float] = {}
        self._queue = WorkQueue()
        self._clock = Clock(self._queue.add)
        self._elector = Elector(
            cluster,
            settings.lease_namespace,
            settings.lease_name,
            settings.identity,
            settings.durations,
            on_started=self._lead,
            on_stopped=self._resign,
        )
        self._telemetry = Telemetry(self._elector.is_leader, lambda: len(self._queue))
        self._caches = Caches(cluster, settings.namespace, self._changed)
        self._recorder = Recorder(cluster, settings.identity)
        self._collector = Collector(self._caches, self._wake, settings.addresses)
        self._reconciler = Reconciler(
            self._caches,
            self._collector,
            Executor(cluster, self._elector.is_leader, self._answered),
            self._recorder,
            self._queue,
            self._clock,
            self._telemetry,
        )
        self._probes = Probes(
            (settings.bind, settings.port), self._unhealthy, self._unready, self._telemetry.registry
        )
        self._workers = [
            threading.Thread(target=self._work, name=f"worker-{n}", daemon=True)
            for n in range(settings.workers)
        ]

    def run(self) -> int:
        """Run until SIGTERM or SIGINT (exit code 0), or until the lease is lost (1)."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)
        self._probes.start()
        self._recorder.start()
        self._caches.start()
        self._clock.start()
        self._clock.every(RESYNC, self._resync)
        self._elector.start()
        log.info("started", identity=self._settings.identity, port=self._probes.port)
        while not self._stopping.wait(0.5):
            pass
        self._shut_down()
        return 1 if self._lost else 0

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        log.info("stopping", signal=signal.Signals(number).name)
        self._stopping.set()

    def _shut_down(self) -> None:
        self._queue.close()
        for worker in self._workers:
            if worker.ident is not None:
                worker.join(10.0)
        self._clock.stop()
        self._collector.stop()
        self._elector.stop()
        self._recorder.stop()
        self._caches.stop()
        self._probes.stop()
        log.info("stopped")

    def _lead(self) -> None:
        """Begin to work, once the caches are filled."""
        while not self._caches.synced and not self._stopping.wait(0.02):
            pass
        if self._stopping.is_set():
            return
        self._collector.start()
        for worker in self._workers:
            worker.start()
        self._resync()

    def _resign(self) -> None:
        """Lead no more: whoever leads next must not meet us. The process ends."""
        if not self._stopping.is_set():
            log.error("the lease was lost: this process ends")
            self._lost = True
            self._stopping.set()

    def _changed(self, change: Change) -> None:
        urgent = is_urgent(change)
        for key in concerned(
            change,
            lambda space: self._caches.list(Kind.RELEASE, space),
            lambda space: self._caches.list(Kind.ROLLOUT, space),
        ):
            self._queue.add(key, urgent=urgent)

    def _wake(self, key: Key, urgent: bool) -> None:  # noqa: FBT001 - the collector's callback
        self._queue.add(key, urgent=urgent)

    def _resync(self) -> None:
        for release in self._caches.list(Kind.RELEASE):
            space = str(release["metadata"]["namespace"])
            self._queue.add((space, str(release["spec"]["rollout"])))

    def _answered(self, write: Write, answer: Object) -> None:
        self._telemetry.wrote(type(write).__name__.lower(), write.kind.value.kind)
        if not isinstance(write, Delete):
            self._caches.updated(answer)

    def _work(self) -> None:
        while (key := self._queue.get()) is not None:
            began = time.monotonic()
            self._began[threading.get_ident()] = began
            try:
                self._reconciler.reconcile(key)
            except LeaseLostError as error:
                log.warning("stopped in mid-pass", why=str(error))
            except Exception:
                self._telemetry.failed("pass")
                log.exception("a pass failed", key="/".join(key))
                self._clock.soon(key, self._queue.failed(key))
            finally:
                self._began.pop(threading.get_ident(), None)
                self._telemetry.passed(time.monotonic() - began)
                self._queue.done(key)

    def _unhealthy(self) -> list[str]:
        longest = max((time.monotonic() - t for t in self._began.copy().values()), default=0.0)
        if longest > STUCK_AFTER:
            return [f"a pass has been going on for {longest:.0f} s"]
        return []

    def _unready(self) -> list[str]:
        if not self._caches.synced:
            return self._caches.problems() or ["the caches are being filled"]
        return []


def run(cluster: HttpCluster, settings: Settings) -> int:
    """Run a controller until it is told to stop; gives the exit code."""
    return Controller(cluster, settings).run()
