"""Pods in the words of kubectl: status, restarts, version."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rollout.report.ages import age
from rollout.resources.objects import is_terminating, name_of
from rollout.resources.writes import Object

NOTHING = "-"
_OVER = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True)
class PodRow:
    """One pod, worded. `restarted` is when a container of it last ended before a restart."""

    name: str
    track: str
    ready: str
    status: str
    restarts: int
    restarted: datetime | None
    version: str
    ip: str
    node: str
    created: datetime | None

    def restarts_in_words(self, now: datetime) -> str:
        """Say how often it was restarted, and how long ago the last time."""
        ago = f" ({age(self.restarted, now)} ago)" if self.restarts and self.restarted else ""
        return f"{self.restarts}{ago}"

    def to_json(self) -> dict[str, Any]:
        """Return it for programs."""
        moments = {"restarted": self.restarted, "created": self.created}
        said = {key: m.isoformat() if m else None for key, m in moments.items()}
        return {**vars(self), **said}


def pod_row(pod: Object, track: str, container: str) -> PodRow:
    """Word a pod; `container` is the one whose image is the version ("": its first)."""
    statuses = _statuses(pod)
    containers = pod["spec"].get("containers") or ()
    ended = [moment for status in statuses if (moment := _ended(status)) is not None]
    return PodRow(
        name=name_of(pod),
        track=track,
        ready=f"{sum(bool(s.get('ready')) for s in statuses)}/{len(containers)}",
        status=pod_status(pod),
        restarts=sum(int(status.get("restartCount", 0)) for status in statuses),
        restarted=max(ended, default=None),
        version=version_of_image(_image(containers, container)),
        ip=str((pod.get("status") or {}).get("podIP") or NOTHING),
        node=str(pod["spec"].get("nodeName") or NOTHING),
        created=moment_of(pod["metadata"].get("creationTimestamp")),
    )


def pod_status(pod: Object) -> str:
    """Say how a pod is, in the one word that kubectl has for it."""
    status = pod.get("status") or {}
    phase = str(status.get("reason") or status.get("phase") or "Unknown")
    begun = _init_status(pod)
    word = begun or _container_word(_statuses(pod)) or phase
    if is_terminating(pod) and status.get("phase") not in _OVER:
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    if word == "Completed" and not begun and any(_runs(s) for s in _statuses(pod)):
        return "Running" if _is_ready(pod) else "NotReady"
    return word


def version_of_image(image: str) -> str:
    """Say the version of an image: its tag, or the start of its digest."""
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return tag or digest.partition(":")[2][:12] or ("latest" if name else NOTHING)


def moment_of(text: Any) -> datetime | None:
    """Read a time of an object; None where there is none."""
    return datetime.fromisoformat(str(text)) if text else None


def _statuses(pod: Object) -> Sequence[Mapping[str, Any]]:
    return (pod.get("status") or {}).get("containerStatuses") or ()


def _container_word(statuses: Iterable[Mapping[str, Any]]) -> str:
    """Say what the first container that does not simply run does."""
    for status in statuses:
        state = status.get("state") or {}
        if (state.get("waiting") or {}).get("reason"):
            return str(state["waiting"]["reason"])
        if "terminated" in state:
            return _end_word(state["terminated"] or {})
    return ""


def _end_word(ended: Mapping[str, Any]) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended['exitCode']}"


def _init_status(pod: Object) -> str:
    """Say how far the init containers are; empty when they are done."""
    specs = {c["name"]: c for c in pod["spec"].get("initContainers") or ()}
    statuses = (pod.get("status") or {}).get("initContainerStatuses") or ()
    for index, status in enumerate(statuses):
        state = status.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting") or {}
        sidecar = specs.get(status.get("name"), {}).get("restartPolicy") == "Always"
        if (ended is not None and ended.get("exitCode") == 0) or (
            sidecar and status.get("started")
        ):
            continue
        if ended is not None:
            return f"Init:{_end_word(ended)}"
        if waiting.get("reason") not in {None, "", "PodInitializing"}:
            return f"Init:{waiting['reason']}"
        return f"Init:{index}/{len(specs)}"
    return ""


def _runs(status: Mapping[str, Any]) -> bool:
    return "running" in (status.get("state") or {}) and bool(status.get("ready"))


def _is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _ended(status: Mapping[str, Any]) -> datetime | None:
    last = (status.get("lastState") or {}).get("terminated") or {}
    return moment_of(last.get("finishedAt"))


def _image(containers: Sequence[Mapping[str, Any]], name: str) -> str:
    mine = [c for c in containers if c.get("name") == name] or list(containers)[:1]
    return str(mine[0].get("image", "")) if mine else ""
