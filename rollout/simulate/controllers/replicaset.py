"""The ReplicaSet loop: as many pods as asked, and a count of what they are."""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from rollout.kube.errors import Refused
from rollout.resources.objects import (
    annotations_of,
    controller_of,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from rollout.resources.writes import Object
from rollout.simulate.controllers.base import Hands, Key
from rollout.simulate.controllers.claims import claim
from rollout.simulate.objects import (
    EMPTY,
    Json,
    condition_of,
    controller_reference,
    dig,
    is_ready,
    parse_time,
    timestamp,
)
from rollout.simulate.selectors import matches_map, matches_structure
from rollout.simulate.store import Change

REPLICA_SETS: Final = "replicasets.apps"
PODS: Final = "pods"
BURST: Final = 500
DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"
_PHASES: Final = {"Pending": 0, "Unknown": 1, "Running": 2}


class ReplicaSetController:
    """Keeps the number of pods of each ReplicaSet."""

    def keys(self, change: Change, hands: Hands) -> Iterable[Key]:
        """A ReplicaSet itself, the one that controls a pod, or those that could adopt it."""
        if change.resource == REPLICA_SETS:
            yield change.namespace, change.name
        elif change.resource == PODS:
            yield from _interested(change, hands)

    def reconcile(self, key: Key, hands: Hands) -> datetime | None:
        """Create or delete pods, then write the status."""
        replica_set = hands.get(REPLICA_SETS, *key)
        if replica_set is None:
            return None
        pods = claim(replica_set, PODS, hands)
        active = [pod for pod in pods if _is_active(pod)]
        terminating = [pod for pod in pods if is_terminating(pod) and not _has_ended(pod)]
        failure: Refused | None = None
        if not is_terminating(replica_set):
            failure = _manage(replica_set, active, hands)
        status = _status(replica_set, active, len(terminating), failure, hands.now())
        if status != replica_set["status"]:
            replica_set = hands.update_status(
                REPLICA_SETS, replica_set, lambda old: {**old, "status": status}
            )
        return _next_look(replica_set, active, hands.now())


def _interested(change: Change, hands: Hands) -> Iterable[Key]:
    for pod in (change.object, change.previous):
        owner = controller_of(pod) if pod is not None else None
        if owner is not None and owner["kind"] == "ReplicaSet":
            yield change.namespace, owner["name"]
    if controller_of(change.object) is None and change.type != "DELETED":
        labels = labels_of(change.object)
        for replica_set in hands.all(REPLICA_SETS, change.namespace):
            if matches_structure(replica_set["spec"]["selector"], labels):
                yield change.namespace, name_of(replica_set)


def _has_ended(pod: Object) -> bool:
    return dig(pod, "status", "phase") in ("Succeeded", "Failed")


def _is_active(pod: Object) -> bool:
    return not _has_ended(pod) and not is_terminating(pod)


def _manage(replica_set: Object, active: Sequence[Object], hands: Hands) -> Refused | None:
    """Create what is missing or delete what is too many; gives the first refusal."""
    surplus = len(active) - replica_set["spec"]["replicas"]
    try:
        for _ in range(min(-surplus, BURST)):
            _create_pod(replica_set, hands)
        if surplus > 0:
            for pod in _to_delete(replica_set, active, min(surplus, BURST), hands):
                hands.delete(PODS, pod)
                hands.event(replica_set, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}")
    except Refused as refusal:
        if any(cause.reason == "NamespaceTerminating" for cause in refusal.causes):
            return None
        note = f"Error creating: {refusal.message}"
        hands.event(replica_set, "FailedCreate", note, "Warning")
        return refusal
    return None


def _create_pod(replica_set: Object, hands: Hands) -> None:
    template = replica_set["spec"]["template"]
    meta = template["metadata"]
    kept = {key: meta[key] for key in ("labels", "annotations", "finalizers") if meta.get(key)}
    pod = hands.create(
        PODS,
        namespace_of(replica_set),
        {
            "metadata": {
                **kept,
                "generateName": f"{name_of(replica_set)}-",
                "ownerReferences": [controller_reference(replica_set)],
            },
            "spec": template["spec"],
        },
    )
    hands.event(replica_set, "SuccessfulCreate", f"Created pod: {name_of(pod)}")


def _to_delete(
    replica_set: Object, active: Sequence[Object], count: int, hands: Hands
) -> list[Object]:
    if count >= len(active):
        return list(active)
    crowd = _crowding(replica_set, active, hands)
    now = hands.now()
    return sorted(active, key=lambda pod: _worth(pod, crowd, now))[:count]


def _crowding(replica_set: Object, active: Sequence[Object], hands: Hands) -> dict[str, int]:
    """How many active pods of the same Deployment each node has."""
    owner = controller_of(replica_set)
    related = list(active)
    if owner is not None:
        sets = hands.all(REPLICA_SETS, namespace_of(replica_set))
        family = [
            other for other in sets if (controller_of(other) or EMPTY).get("uid") == owner["uid"]
        ]
        related = [
            pod for other in family for pod in hands.dependents(other, PODS) if _is_active(pod)
        ]
    crowd: dict[str, int] = {}
    for pod in related:
        node = dig(pod, "spec", "nodeName")
        if node:
            crowd[node] = crowd.get(node, 0) + 1
    return crowd


def _worth(pod: Object, crowd: dict[str, int], now: datetime) -> tuple[Any, ...]:
    """Sort key: what the real controller deletes first comes first."""
    ready = is_ready(pod)
    since = parse_time(_ready_condition(pod)["lastTransitionTime"]) if ready else None
    node = dig(pod, "spec", "nodeName") or ""
    restarts = max(
        (status.get("restartCount", 0) for status in dig(pod, "status", "containerStatuses") or ()),
        default=0,
    )
    return (
        bool(node),
        _PHASES.get(dig(pod, "status", "phase"), 0),
        ready,
        _deletion_cost(pod),
        -crowd.get(node, 0),
        _age_rank(since, now) if since else 0,
        -restarts,
        _age_rank(parse_time(pod["metadata"]["creationTimestamp"]), now),
        uid_of(pod),
    )


def _deletion_cost(pod: Object) -> int:
    try:
        return int(annotations_of(pod).get(DELETION_COST, "0"))
    except ValueError:
        return 0


def _age_rank(since: datetime, now: datetime) -> int:
    """Age in powers of two, so that pods of about one age are told apart by chance (uid)."""
    age = (now - since) / timedelta(microseconds=1) * 1000
    return int(math.log2(age)) if age > 0 else -1


def _ready_condition(pod: Object) -> Object:
    return condition_of(pod, "Ready") or EMPTY


def _available_at(pod: Object, seconds: int) -> datetime | None:
    if not is_ready(pod):
        return None
    return parse_time(_ready_condition(pod)["lastTransitionTime"]) + timedelta(seconds=seconds)


def _status(
    replica_set: Object,
    active: Sequence[Object],
    terminating: int,
    failure: Refused | None,
    now: datetime,
) -> Json:
    spec = replica_set["spec"]
    wanted = spec["template"]["metadata"].get("labels") or EMPTY
    seconds = spec.get("minReadySeconds", 0)
    moments = [_available_at(pod, seconds) for pod in active]
    counts = {
        "fullyLabeledReplicas": sum(matches_map(wanted, labels_of(pod)) for pod in active),
        "readyReplicas": sum(moment is not None for moment in moments),
        "availableReplicas": sum(
            moment is not None and (not seconds or moment <= now) for moment in moments
        ),
    }
    conditions = _conditions(replica_set, len(active) - spec["replicas"], failure, now)
    return {
        "replicas": len(active),
        **{key: value for key, value in counts.items() if value},
        "terminatingReplicas": terminating,
        "observedGeneration": replica_set["metadata"]["generation"],
        **({"conditions": conditions} if conditions else {}),
    }


def _conditions(
    replica_set: Object, surplus: int, failure: Refused | None, now: datetime
) -> list[Object]:
    conditions = list(replica_set["status"].get("conditions") or ())
    known = condition_of(replica_set, "ReplicaFailure")
    if failure is not None and known is None:
        conditions.append(
            {
                "type": "ReplicaFailure",
                "status": "True",
                "lastTransitionTime": timestamp(now),
                "reason": "FailedCreate" if surplus < 0 else "FailedDelete",
                "message": failure.message,
            }
        )
    elif failure is None and known is not None:
        conditions.remove(known)
    return conditions


def _next_look(replica_set: Object, active: Sequence[Object], now: datetime) -> datetime | None:
    seconds = replica_set["spec"].get("minReadySeconds", 0)
    if not seconds:
        return None
    moments = [_available_at(pod, seconds) for pod in active]
    return min((moment for moment in moments if moment and moment > now), default=None)
