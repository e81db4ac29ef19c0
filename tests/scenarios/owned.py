"""What the user owns in a namespace, word for word, and what people have said of it since."""

from copy import deepcopy
from typing import Final, TypeAlias

from rollout.kube.client import HttpCluster
from rollout.resources.objects import name_of
from rollout.resources.words import RESTORE, RESTORE_FINALIZER
from rollout.resources.writes import Kind, Object

Owned: TypeAlias = dict[str, Object]
"""Labels, annotations, finalizers and the whole spec of each object, by kind and name."""

TARGET: Final = "Deployment/web"
COUNTED: Final = frozenset({"deployment.kubernetes.io/revision"})
"""Annotations that Kubernetes keeps itself."""
KINDS: Final = (Kind.SERVICE, Kind.INGRESS, Kind.DEPLOYMENT)


def owned(cluster: HttpCluster, namespace: str) -> Owned:
    """Read all of it: what is made beside it is found as well."""
    return {
        f"{kind.value.kind}/{name_of(obj)}": _words(obj)
        for kind in KINDS
        for obj in cluster.list(kind, namespace).items
    }


def _words(obj: Object) -> Object:
    metadata = obj["metadata"]
    notes = metadata.get("annotations") or {}
    return {
        "labels": metadata.get("labels") or {},
        "annotations": {name: value for name, value in notes.items() if name not in COUNTED},
        "finalizers": metadata.get("finalizers") or [],
        "spec": obj["spec"],
    }


def with_image(before: Owned, tag: str, *, paused: bool = False) -> Owned:
    """Return what was there with another image; paused, the target says what it was before."""
    found = deepcopy(before)
    target = found[TARGET]
    container = target["spec"]["template"]["spec"]["containers"][0]
    container["image"] = f"{container['image'].rpartition(':')[0]}:{tag}"
    if paused:
        target["spec"]["paused"] = True
        target["annotations"][RESTORE] = '{"spec.paused": false}'
    return found


def held(cluster: HttpCluster, namespace: str) -> list[str]:
    """Names of Releases and Rollouts that a finalizer of ours still keeps from going."""
    return [
        f"{kind.value.kind}/{name_of(obj)}"
        for kind in (Kind.RELEASE, Kind.ROLLOUT)
        for obj in cluster.list(kind, namespace).items
        if RESTORE_FINALIZER in (obj["metadata"].get("finalizers") or [])
    ]
