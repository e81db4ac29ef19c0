"""Which ReplicaSet belongs to a Deployment's template, and annotations that tell its history."""

from collections.abc import Mapping, Sequence
from typing import Final

from rollout.resources.objects import annotations_of, name_of, namespace_of
from rollout.resources.words import POD_TEMPLATE_HASH
from rollout.resources.writes import Object
from rollout.simulate.controllers.surge import max_surge
from rollout.simulate.objects import EMPTY, Json, controller_reference, drop, put

REVISION: Final = "deployment.kubernetes.io/revision"
HISTORY: Final = "deployment.kubernetes.io/revision-history"
DESIRED: Final = "deployment.kubernetes.io/desired-replicas"
MAXIMUM: Final = "deployment.kubernetes.io/max-replicas"
NOT_COPIED: Final = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        HISTORY,
        DESIRED,
        MAXIMUM,
        "deprecated.deployment.rollback.to",
    }
)
LONGEST_HISTORY: Final = 2000


def same_template(one: Object, other: Object) -> bool:
    """Whether two pod templates are equal but for the hash label."""
    return _without_hash(one) == _without_hash(other)


def _without_hash(template: Object) -> Object:
    labels = (template.get("metadata") or EMPTY).get("labels") or EMPTY
    if POD_TEMPLATE_HASH not in labels:
        return template
    return drop(template, ("metadata", "labels", POD_TEMPLATE_HASH))


def by_age(replica_sets: Sequence[Object]) -> list[Object]:
    """Oldest first; those of one second by name."""
    return sorted(replica_sets, key=lambda rs: (rs["metadata"]["creationTimestamp"], name_of(rs)))


def new_replica_set(deployment: Object, replica_sets: Sequence[Object]) -> Object | None:
    """The oldest ReplicaSet with the Deployment's template, if there is one."""
    template = deployment["spec"]["template"]
    return next(
        (rs for rs in by_age(replica_sets) if same_template(rs["spec"]["template"], template)),
        None,
    )


def revision_of(obj: Object) -> int:
    """The revision number; 0 when there is none or it is no number."""
    text = annotations_of(obj).get(REVISION, "")
    return int(text) if text.isdigit() else 0


def annotated(
    deployment: Object, annotations: Mapping[str, str], revision: int, *, exists: bool
) -> dict[str, str]:
    """Annotations of the Deployment's new ReplicaSet: copies, revision, history, sizes."""
    copied = annotations_of(deployment).items()
    changed = {**annotations, **{key: value for key, value in copied if key not in NOT_COPIED}}
    known = annotations.get(REVISION, "")
    if known and not known.isdigit():
        return changed
    if int(known or 0) < revision:
        changed[REVISION] = str(revision)
        if known:
            changed[HISTORY] = _history(annotations.get(HISTORY, ""), known)
    if not exists:
        changed.update(size_annotations(deployment))
    return changed


def _history(history: str, revision: str) -> str:
    revisions = [*history.split(","), revision] if history else [revision]
    while len(",".join(revisions)) > LONGEST_HISTORY:
        del revisions[0]
    return ",".join(revisions)


def size_annotations(deployment: Object) -> dict[str, str]:
    """Annotations with the sizes that a ReplicaSet was last scaled by."""
    replicas = deployment["spec"]["replicas"]
    return {DESIRED: str(replicas), MAXIMUM: str(replicas + max_surge(deployment))}


def fresh_replica_set(deployment: Object, pod_hash: str) -> Json:
    """A ReplicaSet of size 0 for the Deployment's template."""
    spec = deployment["spec"]
    labels = {**(spec["template"]["metadata"].get("labels") or {}), POD_TEMPLATE_HASH: pod_hash}
    minimum = {"minReadySeconds": spec["minReadySeconds"]} if "minReadySeconds" in spec else {}
    return {
        "metadata": {
            "name": f"{name_of(deployment)}-{pod_hash}",
            "namespace": namespace_of(deployment),
            "labels": labels,
            "ownerReferences": [controller_reference(deployment)],
        },
        "spec": {
            "replicas": 0,
            **minimum,
            "selector": put(spec["selector"], ("matchLabels", POD_TEMPLATE_HASH), pod_hash),
            "template": put(spec["template"], ("metadata", "labels"), labels),
        },
    }
