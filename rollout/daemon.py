"""The composition root: settings, threads, the leader gate, signals, and the order of stopping.

Reflectors always run, so that a follower can take over at once. Workers and metrics run while
this process leads, which it does at most once: a process that has lost its lease ends, because
nobody can be sure what its threads were about to do.
"""

import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from rollout.controller.caches import Caches
from rollout.controller.clock import Clock
from rollout.controller.collect import Collector
from rollout.controller.fence import Fence
from rollout.controller.http import Probes
from rollout.controller.metrics import Metrics
from rollout.controller.observe import Observer, phase_of
from rollout.controller.orders import Orders
from rollout.controller.queue import Key, Lane, WorkQueue
from rollout.controller.reconcile import Reconciler
from rollout.controller.record import Record
from rollout.controller.secrets import secrets_of
from rollout.controller.wake import Waker
from rollout.controller.workers import Workers
from rollout.controller.writer import Writer
from rollout.engine.planner import plan
from rollout.kube.cache import Change
from rollout.kube.client import HttpCluster
from rollout.kube.errors import ClusterError, NotFound
from rollout.kube.events import Recorder
from rollout.kube.lease import Durations, Elector, unique_identity
from rollout.metrics.addresses import AddressMap
from rollout.metrics.credentials import Keys
from rollout.metrics.provider import MetricsProvider
from rollout.metrics.registry import provider
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.release import Phase
from rollout.resources.writes import Kind, Object
from rollout.server.parts import Parts
from rollout.server.service import Api
from rollout.server.settings import ApiSettings

log = structlog.get_logger(__name__)

RESYNC_SECONDS: Final = 30.0
"""Everything is looked at this often, from the caches: a net below all that wakes a key."""

GRACE_SECONDS: Final = 15.0
"""How long a pass may go on after the order to stop; a pod has 30 seconds by default."""

NAMESPACE_SECONDS: Final = 3.0
TELL_SECONDS: Final = 3.0


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
    """Where health and metrics are served; 0 takes any free port, which the log names."""
    workers: int = 4
    addresses: AddressMap = field(default_factory=AddressMap.identity)
    api: ApiSettings | None = None
    """Where the HTTP API is served, by every replica; None: nowhere."""
    credentials: Path | None = None
    """The only folder from which files that policies name are read; None: no files are read."""


def utc_now() -> datetime:
    """Give the present moment."""
    return datetime.now(UTC)


class Controller:
    """A controller process."""

    def __init__(self, cluster: HttpCluster, settings: Settings) -> None:
        """Build everything; nothing runs and nothing is asked yet. Raises OSError for a port."""
        self._settings = settings
        self._cluster = cluster
        self._orders = Orders()
        self._told_to_stop = threading.Event()
        self._lost = False
        self._working = threading.Lock()
        self._queue = WorkQueue()
        self._clock = Clock(self._queue)
        self._metrics = Metrics()
        self._elector = self._make_elector()
        self._caches = Caches(cluster, settings.namespace, self._changed)
        self._waker = Waker(self._caches, self._queue)
        self._recorder = Recorder(cluster, settings.identity)
        self._collector = Collector(self._provider, self._pods, self._wake, utc_now, self._metrics)
        self._writer = Writer(cluster, self._elector, self._caches, self._metrics)
        self._fence = Fence(self._writer, lambda: self._elector.epoch)
        self._workers = self._make_workers()
        self._probes = Probes(
            (settings.bind, settings.port), self._unhealthy, self._unready, self._text
        )
        self._api = self._make_api()

    def _make_api(self) -> Api | None:
        settings = self._settings
        if settings.api is None:
            return None
        parts = Parts(self._cluster, self._caches, settings.namespace, utc_now)
        return Api(settings.api, parts, self._metrics.registry)

    def _make_elector(self) -> Elector:
        settings = self._settings
        return Elector(
            self._cluster,
            settings.lease_namespace,
            settings.lease_name,
            settings.identity,
            settings.durations,
            on_started=self._lead,
            on_stopped=self._resign,
        )

    def _make_workers(self) -> Workers:
        reconciler = Reconciler(
            observer=Observer(self._caches, self._terminating),
            decide=plan,
            writer=self._writer,
            fence=self._fence,
            record=Record(self._writer, self._recorder, utc_now),
            hearing=self._collector,
            metrics=self._metrics,
            now=utc_now,
        )
        return Workers(
            self._settings.workers,
            reconciler,
            self._queue,
            self._clock,
            metrics=self._metrics,
            now=utc_now,
        )

    def run(self) -> int:
        """Run until SIGTERM or SIGINT (0), or until the lease is lost (1). Main thread only."""
        with self._orders.heeded():
            self._start()
            log.info("stopping", why=self._orders.wait())
            self._stop()
        return 1 if self._lost else 0

    def _start(self) -> None:
        self._metrics.follow(self._elector.is_leader, self._queue.__len__, self._phases)
        self._probes.start()
        if self._api is not None:
            self._api.start()
        self._recorder.start()
        self._caches.start()
        self._elector.start()
        log.info(
            "started",
            identity=self._settings.identity,
            namespace=self._settings.namespace or "(all)",
            address=self._settings.bind,
            port=self._probes.port,
            api=self._api.url if self._api is not None else "(off)",
        )

    def _stop(self) -> None:
        """Finish what is going on, then give back what others wait for, in this order."""
        self._told_to_stop.set()
        self._queue.stop()
        if self._api is not None:
            self._api.close()
        with self._working:
            ended = self._workers.join(GRACE_SECONDS)
            self._clock.stop()
        if not ended:
            log.warning(
                "a pass did not end in time: the lease is kept until it runs out",
                problems=self._workers.problems(),
            )
        self._elector.stop(release=ended)
        self._collector.stop()
        if self._api is not None:
            self._api.stop()
        self._probes.stop()
        self._recorder.stop(TELL_SECONDS)
        self._caches.stop()
        log.info("stopped")

    def _lead(self) -> None:
        """Begin to work, once the caches are filled. Runs on a thread of the elector's.

        Who has lost the lease does not lead again, however soon it is free: the process ends.
        """
        while not self._caches.synced:
            if self._told_to_stop.wait(0.02) or not self._elector.is_leader():
                return
        with self._working:
            if self._told_to_stop.is_set() or self._lost:
                return
            self._clock.start()
            self._clock.every(RESYNC_SECONDS, self._resync)
            self._workers.start()
        self._waker.all()

    def _resign(self) -> None:
        """Write no more, at once: whoever leads next must not meet us. The process ends."""
        self._queue.stop()
        if not self._told_to_stop.is_set():
            self._lost = True
            self._orders.give("the lease was lost")

    def _resync(self) -> None:
        """Look at everything again, and forget what is gone."""
        releases = self._caches.list(Kind.RELEASE, None)
        uids = frozenset(str(one["metadata"]["uid"]) for one in releases)
        self._collector.keep(uids)
        self._fence.keep(uids)
        self._waker.all()

    def _changed(self, change: Change) -> None:
        self._waker(change)
        if self._api is not None:
            self._api.hear(change)

    def _wake(self, key: Key, urgent: bool) -> None:  # noqa: FBT001 - the collector's callback
        self._queue.add(key, Lane.URGENT if urgent else Lane.ORDINARY)

    def _provider(self, policy: RolloutPolicySpec) -> MetricsProvider:
        keys = Keys(secrets_of(self._cluster), self._settings.credentials)
        return provider(policy, self._settings.addresses, keys)

    def _pods(self, namespace: str) -> tuple[Object, ...]:
        return self._caches.list(Kind.POD, namespace)

    def _terminating(self, namespace: str) -> bool:
        """Ask for the namespace itself; when that is forbidden it counts as staying."""
        try:
            found = self._cluster.within(NAMESPACE_SECONDS).get(Kind.NAMESPACE, "", namespace)
        except NotFound:
            return True
        except ClusterError:
            return False
        return "deletionTimestamp" in found["metadata"]

    def _unhealthy(self) -> list[str]:
        return [*self._workers.problems(), *(self._api.problems() if self._api else [])]

    def _unready(self) -> list[str]:
        if self._caches.synced:
            return []
        return self._caches.problems() or ["the caches are being filled"]

    def _phases(self) -> dict[str, int]:
        counts = Counter(str(phase_of(one)) for one in self._caches.list(Kind.RELEASE, None))
        return {str(phase): counts[str(phase)] for phase in Phase}

    def _text(self) -> bytes:
        return self._metrics.text()


def run(cluster: HttpCluster, settings: Settings) -> int:
    """Run a controller until it is told to stop; gives the exit code. Main thread only.

    0: it was told to stop. 1: the lease was lost. Raises OSError when the port is taken.
    """
    return Controller(cluster, settings).run()
