"""A kubelet and a scheduler for virtual time: pods start, get ready, crash and stop as told.

It keeps no memory: what a pod should be now follows from its start time, its behaviour and the
clock alone. So a forked world needs only a new `VirtualKubelet` on the fork.
"""

import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from rollout.resources.objects import is_terminating, name_of, namespace_of, uid_of
from rollout.resources.writes import Object
from rollout.simulate.catalog import ApiResource
from rollout.simulate.cluster import SimulatedCluster
from rollout.simulate.objects import Json, condition_of, dig, is_ready, parse_time, timestamp
from rollout.simulate.registry import DeleteOptions

NODE: Final = "virtual"
POD_RANGE: Final = ipaddress.ip_network("10.244.0.0/16")
FIRST_BACK_OFF: Final = timedelta(seconds=10)
LONGEST_BACK_OFF: Final = timedelta(minutes=5)


@dataclass(frozen=True)
class Behaviour:
    """What becomes of a pod. Times are in seconds."""

    startup: float = 2.0
    """From the start of the container until it is ready."""
    ready: bool = True
    """Whether it ever gets ready."""
    crash_after: float | None = None
    """From each start of the container until it exits; the kubelet starts it again, with growing
    pauses."""
    terminating: float = 1.0
    """From the request to stop until the pod is gone, within its grace period."""


Behave: TypeAlias = Callable[[Object], Behaviour]


@dataclass(frozen=True)
class _State:
    """What the pod is now, and when that changes by itself."""

    running: bool
    ready: bool
    restarts: int
    until: datetime | None


class VirtualKubelet:
    """Plays scheduler and kubelet for all pods of a simulated cluster."""

    def __init__(
        self, cluster: SimulatedCluster, behaviour: Behave = lambda _: Behaviour()
    ) -> None:
        """Play for `cluster`; `behaviour` is asked for each pod at each tick."""
        self._cluster = cluster
        self._behaviour = behaviour

    def tick(self) -> int:
        """Do all that is due by the cluster's clock; gives the number of writes.

        The control loops have not acted on them yet: see `quiesce`.
        """
        with self._cluster.lock:
            now = self._cluster.registry.clock()
            return sum(self._tend(pod, now) for pod in self._pods())

    def next_due(self) -> datetime | None:
        """When a pod or a control loop next acts by itself, None when nothing will.

        Not before now, so that a clock set to it never goes back.
        """
        now = self._cluster.registry.clock()
        moments = [self._changes_at(pod, now) for pod in self._pods()]
        moments.append(self._cluster.next_due())
        found = min((moment for moment in moments if moment is not None), default=None)
        return None if found is None else max(found, now)

    def quiesce(self) -> None:
        """Tick and settle in turn until neither changes anything at this moment."""
        self._cluster.settle()
        while self.tick():
            self._cluster.settle()

    def _pods(self) -> list[Object]:
        return self._cluster.registry.store.all("pods")

    def _tend(self, pod: Object, now: datetime) -> bool:
        if is_terminating(pod):
            if self._gone_at(pod) > now:
                return False
            options = DeleteOptions(uid=uid_of(pod), grace_seconds=0)
            self._cluster.registry.delete(self._api, namespace_of(pod), name_of(pod), options)
            return True
        if not dig(pod, "spec", "nodeName"):
            self._cluster.registry.bind(namespace_of(pod), name_of(pod), NODE)
            pod = self._cluster.registry.get(self._api, namespace_of(pod), name_of(pod))
            self._write(pod, self._state(pod, now), now)
            return True
        state = self._state(pod, now)
        if _shows(pod, state):
            return False
        self._write(pod, state, now)
        return True

    @property
    def _api(self) -> ApiResource:
        return self._cluster.registry.catalog.by_key("pods")

    def _changes_at(self, pod: Object, now: datetime) -> datetime | None:
        if is_terminating(pod):
            return self._gone_at(pod)
        if not dig(pod, "spec", "nodeName"):
            return now
        state = self._state(pod, now)
        return state.until if _shows(pod, state) else now

    def _gone_at(self, pod: Object) -> datetime:
        meta = pod["metadata"]
        latest = parse_time(meta["deletionTimestamp"])
        asked = latest - timedelta(seconds=meta.get("deletionGracePeriodSeconds", 0))
        return min(asked + timedelta(seconds=self._behaviour(pod).terminating), latest)

    def _state(self, pod: Object, now: datetime) -> _State:
        behaviour = self._behaviour(pod)
        started = dig(pod, "status", "startTime")
        since = parse_time(started) if started else now
        for restarts, (start, stop) in enumerate(_runs(since, behaviour)):
            ready_at = start + timedelta(seconds=behaviour.startup)
            if now < start:
                return _State(running=False, ready=False, restarts=restarts - 1, until=start)
            if stop is not None and now >= stop:
                continue
            if not behaviour.ready or (stop is not None and ready_at >= stop):
                return _State(running=True, ready=False, restarts=restarts, until=stop)
            ready = now >= ready_at
            until = stop if ready else ready_at
            return _State(running=True, ready=ready, restarts=restarts, until=until)
        raise AssertionError("a pod that stops is started again")

    def _write(self, pod: Object, state: _State, now: datetime) -> None:
        status = _status(pod, state, now)
        self._cluster.registry.update(
            self._api,
            namespace_of(pod),
            name_of(pod),
            lambda old: {**old, "status": status},
            "status",
        )


def _runs(since: datetime, behaviour: Behaviour) -> Iterator[tuple[datetime, datetime | None]]:
    """Starts and stops of the container, without end."""
    pause = FIRST_BACK_OFF
    while True:
        if behaviour.crash_after is None:
            yield since, None
            return
        stop = since + timedelta(seconds=behaviour.crash_after)
        yield since, stop
        since = stop + pause
        pause = min(pause * 2, LONGEST_BACK_OFF)


def _shows(pod: Object, state: _State) -> bool:
    """Whether the pod's status says already what is the case."""
    statuses = dig(pod, "status", "containerStatuses")
    if not statuses:
        return False
    first = statuses[0]
    running = "running" in first["state"]
    shown = (is_ready(pod), first["restartCount"], running)
    return bool(shown == (state.ready, state.restarts, state.running))


def _status(pod: Object, state: _State, now: datetime) -> Json:
    before = pod["status"]
    address = before.get("podIP") or _address(pod)
    return {
        **before,
        "phase": "Running",
        "startTime": before.get("startTime") or timestamp(now),
        "podIP": address,
        "podIPs": [{"ip": address}],
        "hostIP": "10.0.0.1",
        "hostIPs": [{"ip": "10.0.0.1"}],
        "conditions": _conditions(pod, state, now),
        "containerStatuses": [
            _container_status(container, state, now) for container in pod["spec"]["containers"]
        ],
    }


def _address(pod: Object) -> str:
    """An address that no other living pod has, as long as a world has fewer than 65,000 writes."""
    offset = int(pod["metadata"]["resourceVersion"]) % (POD_RANGE.num_addresses - 2)
    return str(POD_RANGE[offset + 1])


def _conditions(pod: Object, state: _State, now: datetime) -> list[Json]:
    values = {
        "PodScheduled": True,
        "Initialized": True,
        "ContainersReady": state.ready,
        "Ready": state.ready,
    }
    return [_condition(pod, kind, holds, now) for kind, holds in values.items()]


def _condition(pod: Object, kind: str, holds: bool, now: datetime) -> Json:  # noqa: FBT001
    status = "True" if holds else "False"
    known = condition_of(pod, kind)
    if known is not None and known["status"] == status:
        return dict(known)
    reason = {} if holds else {"reason": "ContainersNotReady"}
    return {"type": kind, "status": status, "lastTransitionTime": timestamp(now), **reason}


def _container_status(container: Object, state: _State, now: datetime) -> Json:
    running: Json = {"running": {"startedAt": timestamp(now)}}
    waiting: Json = {"waiting": {"reason": "CrashLoopBackOff"}}
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "ready": state.ready,
        "started": state.running,
        "restartCount": state.restarts,
        "state": running if state.running else waiting,
    }
