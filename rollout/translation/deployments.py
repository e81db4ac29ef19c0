"""Deployments, ReplicaSets and pods to the views that the planner sees."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from rollout.engine.snapshot import DeploymentView, PodSet
from rollout.resources.objects import annotations_of, controller_uid, labels_of, name_of, uid_of
from rollout.resources.words import FIELD_MANAGER, LATCH, POD_TEMPLATE_HASH
from rollout.resources.writes import Object
from rollout.traffic.notes import read_note
from rollout.translation.objects import Objects

MANAGERS: Final = {
    "meta.helm.sh/release-name": "Helm",
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
}
"""Labels and annotations by which others own an object."""


OWN_MANAGERS: Final = frozenset({FIELD_MANAGER, "kube-controller-manager"})


def deployment_view(objects: Objects, deployment: Object) -> DeploymentView:
    """Return a Deployment with its ReplicaSets and what lives of them."""
    spec, status = deployment["spec"], deployment.get("status") or {}
    generation = deployment["metadata"].get("generation", 0)
    return DeploymentView(
        name=name_of(deployment),
        uid=uid_of(deployment),
        replicas=int(spec.get("replicas", 1)),
        paused=bool(spec.get("paused", False)),
        template=spec["template"],
        observed=status.get("observedGeneration", 0) >= generation,
        labels=(spec["template"].get("metadata") or {}).get("labels") or {},
        selector=(spec.get("selector") or {}).get("matchLabels") or {},
        updated=int(status.get("updatedReplicas", 0)),
        current=int(status.get("replicas", 0)),
        available=int(status.get("availableReplicas", 0)),
        pod_sets=tuple(_pod_sets(objects, deployment)),
        latch=annotations_of(deployment).get(LATCH),
        saved=read_note(annotations_of(deployment)),
        changed_by=field_manager(deployment, ("f:spec", "f:paused")),
        edited_by=field_manager(deployment, ("f:spec", "f:template")),
        manager=_manager(deployment),
        recreates=(spec.get("strategy") or {}).get("type") == "Recreate",
    )


def _pod_sets(objects: Objects, deployment: Object) -> Iterable[PodSet]:
    uid = uid_of(deployment)
    own = [one for one in objects.replica_sets if controller_uid(one) == uid]
    pods: dict[str, list[Object]] = {uid_of(one): [] for one in own}
    for pod in objects.pods:
        living = pods.get(controller_uid(pod) or "")
        if living is not None and alive(pod):
            living.append(pod)
    for replica_set in own:
        yield _pod_set(replica_set, pods[uid_of(replica_set)])


def _pod_set(replica_set: Object, pods: list[Object]) -> PodSet:
    return PodSet(
        name=name_of(replica_set),
        hash=str(labels_of(replica_set).get(POD_TEMPLATE_HASH, "")),
        template=without_hash(replica_set["spec"]["template"]),
        replicas=int(replica_set["spec"].get("replicas", 0)),
        alive=len(pods),
        ready=sum(map(ready, pods)),
    )


def without_hash(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return a ReplicaSet's template as its Deployment has it."""
    metadata = dict(template.get("metadata") or {})
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k != POD_TEMPLATE_HASH}
    return {**template, "metadata": {**metadata, "labels": labels}}


def alive(pod: Object) -> bool:
    """Whether a pod has neither ended nor been told to stop."""
    ended = (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}
    return not ended and "deletionTimestamp" not in pod["metadata"]


def ready(pod: Object) -> bool:
    """Whether a pod is ready to take requests."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def field_manager(obj: Object, path: tuple[str, ...]) -> str:
    """Return who else last changed a field, as far as the server notes it; empty when it does not.

    Who removes a field owns nothing of it afterwards: then it is whoever wrote last.
    """
    entries = [
        entry
        for entry in obj["metadata"].get("managedFields") or []
        if entry.get("manager") not in OWN_MANAGERS and not entry.get("subresource")
    ]
    owners = [entry for entry in entries if _owns(entry, path)]
    by_time = sorted(owners or entries, key=lambda entry: str(entry.get("time", "")))
    return str(by_time[-1].get("manager", "")) if by_time else ""


def _owns(entry: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    fields: Any = entry.get("fieldsV1") or {}
    for key in path:
        fields = fields.get(key) if isinstance(fields, Mapping) else None
    return fields is not None


def _manager(obj: Object) -> str:
    marks = {**labels_of(obj), **annotations_of(obj)}
    return next((who for key, who in MANAGERS.items() if key in marks), "")
