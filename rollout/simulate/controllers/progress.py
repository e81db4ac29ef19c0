"""A Deployment's status: its counts, and the conditions that tell how its update goes over time."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from rollout.resources.objects import name_of
from rollout.resources.writes import Object
from rollout.simulate.controllers.surge import asked, counted, max_unavailable
from rollout.simulate.objects import EMPTY, Json, condition_of, parse_time, timestamp

NO_DEADLINE: Final = 2**31 - 1
PROGRESSING: Final = "Progressing"
AVAILABLE: Final = "Available"
REPLICA_FAILURE: Final = "ReplicaFailure"
COMPLETE: Final = "NewReplicaSetAvailable"
TIMED_OUT: Final = "ProgressDeadlineExceeded"
PAUSED: Final = "DeploymentPaused"


def has_deadline(deployment: Object) -> bool:
    """Whether progress is watched at all."""
    return bool(deployment["spec"]["progressDeadlineSeconds"] != NO_DEADLINE)


def condition(kind: str, status: str, reason: str, message: str, now: datetime) -> Json:
    """A new condition of a Deployment."""
    return {
        "type": kind,
        "status": status,
        "lastUpdateTime": timestamp(now),
        "lastTransitionTime": timestamp(now),
        "reason": reason,
        "message": message,
    }


def with_condition(status: Object, new: Json) -> Json:
    """The status with the condition; nothing changes when status and reason are the same."""
    known = condition_of({"status": status}, new["type"])
    if known is not None and known["status"] == new["status"]:
        if known["reason"] == new["reason"]:
            return dict(status)
        new = {**new, "lastTransitionTime": known["lastTransitionTime"]}
    return {**status, "conditions": [*_others(status, new["type"]), new]}


def without_condition(status: Object, kind: str) -> Json:
    """The status without that condition."""
    if condition_of({"status": status}, kind) is None:
        return dict(status)
    return {**status, "conditions": _others(status, kind)}


def _others(status: Object, kind: str) -> list[Object]:
    return [known for known in status.get("conditions") or () if known["type"] != kind]


def counts(
    deployment: Object, everyone: Sequence[Object], newest: Object | None, now: datetime
) -> Json:
    """The status by what the ReplicaSets report, with the condition `Available`."""
    available = counted(everyone, "availableReplicas")
    numbers = {
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": counted(everyone, "replicas"),
        "updatedReplicas": counted([newest] if newest is not None else [], "replicas"),
        "readyReplicas": counted(everyone, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(asked(everyone) - available, 0),
    }
    status = {key: value for key, value in numbers.items() if value}
    status["terminatingReplicas"] = counted(everyone, "terminatingReplicas")
    for kept in ("collisionCount", "conditions"):
        if kept in deployment["status"]:
            status[kept] = deployment["status"][kept]
    if available >= deployment["spec"]["replicas"] - max_unavailable(deployment):
        text = "Deployment has minimum availability."
        new = condition(AVAILABLE, "True", "MinimumReplicasAvailable", text, now)
    else:
        text = "Deployment does not have minimum availability."
        new = condition(AVAILABLE, "False", "MinimumReplicasUnavailable", text, now)
    return with_condition(status, new)


def is_complete(deployment: Object, status: Object) -> bool:
    """Whether every wanted pod is of the new template, available, and alone."""
    wanted = deployment["spec"]["replicas"]
    settled = all(
        status.get(field, 0) == wanted
        for field in ("updatedReplicas", "replicas", "availableReplicas")
    )
    generation = deployment["metadata"]["generation"]
    return settled and status.get("observedGeneration", 0) >= generation


def _progressed(before: Object, after: Object) -> bool:
    def old_pods(status: Object) -> int:
        left: int = status.get("replicas", 0) - status.get("updatedReplicas", 0)
        return left

    grown = any(
        after.get(field, 0) > before.get(field, 0)
        for field in ("updatedReplicas", "readyReplicas", "availableReplicas")
    )
    return grown or old_pods(after) < old_pods(before)


def deadline_of(deployment: Object, status: Object) -> datetime | None:
    """When the update counts as stuck, if it is watched and under way."""
    known = condition_of({"status": status}, PROGRESSING)
    if known is None or known["reason"] in (COMPLETE, TIMED_OUT):
        return None
    seconds = deployment["spec"]["progressDeadlineSeconds"]
    return parse_time(known["lastUpdateTime"]) + timedelta(seconds=seconds)


def estimated(
    deployment: Object, everyone: Sequence[Object], newest: Object | None, now: datetime
) -> Json:
    """The status of a Deployment that is not paused, with its progress judged."""
    status = counts(deployment, everyone, newest, now)
    if not has_deadline(deployment):
        status = without_condition(status, PROGRESSING)
    elif not _was_complete(deployment, status):
        status = _judged(deployment, status, newest, now)
    failures = list(_failures(everyone, newest))
    if failures:
        return with_condition(status, failures[0])
    return without_condition(status, REPLICA_FAILURE)


def _was_complete(deployment: Object, status: Object) -> bool:
    known = condition_of(deployment, PROGRESSING)
    alone = status.get("replicas", 0) == status.get("updatedReplicas", 0)
    return alone and known is not None and bool(known["reason"] == COMPLETE)


def _judged(deployment: Object, status: Json, newest: Object | None, now: datetime) -> Json:
    subject = f'Deployment "{name_of(deployment)}"'
    if newest is not None:
        subject = f'ReplicaSet "{name_of(newest)}"'
    if is_complete(deployment, status):
        text = f"{subject} has successfully progressed."
        return with_condition(status, condition(PROGRESSING, "True", COMPLETE, text, now))
    if _progressed(deployment["status"], status):
        text = f"{subject} is progressing."
        new = condition(PROGRESSING, "True", "ReplicaSetUpdated", text, now)
        return _renewed(deployment, status, new)
    deadline = deadline_of(deployment, status)
    if deadline is not None and deadline < now:
        text = f"{subject} has timed out progressing."
        return with_condition(status, condition(PROGRESSING, "False", TIMED_OUT, text, now))
    return status


def _renewed(deployment: Object, status: Json, new: Json) -> Json:
    """Progress renews the update time also when status and reason stay the same."""
    known = condition_of(deployment, PROGRESSING)
    if known is not None and known["status"] == "True":
        new = {**new, "lastTransitionTime": known["lastTransitionTime"]}
    return {**status, "conditions": [*_others(status, PROGRESSING), new]}


def _failures(everyone: Iterable[Object], newest: Object | None) -> Iterable[Json]:
    first = [newest] if newest is not None else []
    for rs in [*first, *everyone]:
        found = condition_of({"status": rs.get("status") or EMPTY}, REPLICA_FAILURE)
        if found is not None:
            yield {**found, "lastUpdateTime": found["lastTransitionTime"]}
