"""A pod's status as the API shows it, made from what its containers do. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeAlias

from rollout.resources.writes import Object

_CONDITIONS: Final = ("PodScheduled", "Initialized", "ContainersReady", "Ready")


@dataclass(frozen=True)
class Waiting:
    """Not running: being created, or held back."""

    reason: str = "ContainerCreating"
    message: str = ""

    def as_json(self) -> Mapping[str, Any]:
        """`state` of a container status."""
        return {"waiting": {"reason": self.reason, "message": self.message}}


@dataclass(frozen=True)
class Running:
    """Running since."""

    started: datetime

    def as_json(self) -> Mapping[str, Any]:
        """`state` of a container status."""
        return {"running": {"startedAt": timestamp(self.started)}}


@dataclass(frozen=True)
class Terminated:
    """Ended, with an exit code."""

    code: int
    started: datetime
    finished: datetime

    def as_json(self) -> Mapping[str, Any]:
        """`state` or `lastState` of a container status."""
        ended = {
            "exitCode": self.code,
            "reason": "Error" if self.code else "Completed",
            "startedAt": timestamp(self.started),
            "finishedAt": timestamp(self.finished),
        }
        return {"terminated": ended}


State: TypeAlias = Waiting | Running | Terminated


@dataclass(frozen=True)
class ContainerStatus:
    """One container: `started` is past its startup probe, `ready` takes traffic."""

    name: str
    image: str
    state: State = Waiting()
    last: Terminated | None = None
    restarts: int = 0
    started: bool = False
    ready: bool = False
    container_id: str = ""

    def as_json(self) -> Mapping[str, Any]:
        """One entry of `containerStatuses`."""
        return {
            "name": self.name,
            "image": self.image,
            "imageID": self.image if self.container_id else "",
            **({"containerID": self.container_id} if self.container_id else {}),
            "state": self.state.as_json(),
            "lastState": self.last.as_json() if self.last else {},
            "restartCount": self.restarts,
            "started": self.started,
            "ready": self.ready,
        }


def timestamp(moment: datetime) -> str:
    """Write a moment (UTC) as Kubernetes does."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def pod_status(
    pod: Object,
    containers: Sequence[ContainerStatus],
    initial: Sequence[ContainerStatus] = (),
    *,
    address: str,
    host: str,
    now: datetime,
) -> Mapping[str, Any]:
    """Make the status of a pod; times of conditions that did not change are kept."""
    before = pod.get("status") or {}
    undone = [container.name for container in initial if not container.ready]
    if undone:
        containers = [replace(one, state=Waiting("PodInitializing")) for one in containers]
    return {
        "phase": _phase(containers, pod["spec"].get("restartPolicy", "Always")),
        "conditions": _conditions(before.get("conditions") or (), containers, undone, now),
        "hostIP": host,
        "hostIPs": [{"ip": host}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": before.get("startTime") or timestamp(now),
        "initContainerStatuses": [container.as_json() for container in initial],
        "containerStatuses": [container.as_json() for container in containers],
    }


def unschedulable(pod: Object, message: str, now: datetime) -> Mapping[str, Any]:
    """Make the status of a pod for which the node has no room."""
    before = (pod.get("status") or {}).get("conditions") or ()
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": message,
    }
    others = [c for c in before if c["type"] != "PodScheduled"]
    return {"phase": "Pending", "conditions": [*others, _kept(before, condition, now)]}


def _phase(containers: Sequence[ContainerStatus], restart_policy: str) -> str:
    codes = [c.state.code for c in containers if isinstance(c.state, Terminated)]
    if restart_policy != "Always" and len(codes) == len(containers):
        if not any(codes):
            return "Succeeded"
        if restart_policy == "Never":
            return "Failed"
    begun = all(not isinstance(c.state, Waiting) or c.last for c in containers)
    return "Running" if begun else "Pending"


def _conditions(
    before: Sequence[Object],
    containers: Sequence[ContainerStatus],
    undone: Sequence[str],
    now: datetime,
) -> list[Object]:
    unready = [container.name for container in containers if not container.ready]
    reason = {
        "reason": "ContainersNotReady",
        "message": f"containers with unready status: [{' '.join(unready)}]",
    }
    others = [c for c in before if c["type"] not in _CONDITIONS]
    ours = [
        {"type": "PodScheduled", "status": "True"},
        {"type": "Initialized", "status": "False", **_uninitialized(undone)}
        if undone
        else {"type": "Initialized", "status": "True"},
        *(
            {"type": kind, "status": "False", **reason}
            if unready
            else {"type": kind, "status": "True"}
            for kind in ("ContainersReady", "Ready")
        ),
    ]
    return [*others, *(_kept(before, condition, now) for condition in ours)]


def _kept(before: Sequence[Object], condition: Object, now: datetime) -> Object:
    for old in before:
        if (old["type"], old["status"]) == (condition["type"], condition["status"]):
            since = old.get("lastTransitionTime")
            return {**condition, "lastTransitionTime": since or timestamp(now)}
    return {**condition, "lastTransitionTime": timestamp(now)}


def _uninitialized(undone: Sequence[str]) -> Object:
    return {
        "reason": "ContainersNotInitialized",
        "message": f"containers with incomplete status: [{' '.join(undone)}]",
    }
