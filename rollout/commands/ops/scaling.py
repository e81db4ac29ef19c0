"""The size of a service: the Deployment's replicas, or the autoscaler that owns them."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from rollout.commands.ops.family import find_family
from rollout.commands.refusal import CommandRefusedError
from rollout.kube.cluster import Cluster
from rollout.kube.errors import Conflict
from rollout.report.autoscaling import ScalerRow, how_to_change, scaler_row
from rollout.resources.objects import name_of
from rollout.resources.release import Release
from rollout.resources.writes import Kind, Object, Patch, PatchType
from rollout.translation.autoscalers import follows_fixed, of_target
from rollout.translation.sides import Family

TRIES: Final = 5


@dataclass(frozen=True)
class Scaled:
    """What became of a request for another size."""

    deployment: str
    before: int
    replicas: int
    message: str


def autoscalers_of(cluster: Cluster, namespace: str, family: Family) -> list[Object]:
    """Give the autoscalers of the target."""
    found = cluster.list(Kind.HORIZONTAL_POD_AUTOSCALER, namespace).items
    return of_target(found, name_of(family.target))


def scaler_rows(cluster: Cluster, namespace: str, family: Family) -> list[ScalerRow]:
    """Word the autoscalers of the target."""
    found = autoscalers_of(cluster, namespace, family)
    return [scaler_row(one, fixed=follows_fixed(one)) for one in found]


def scale(cluster: Cluster, namespace: str, rollout: str | None, replicas: int) -> Scaled:
    """Set the Deployment's replicas, guarded by what was looked at.

    Raises CommandRefusedError where an autoscaler owns them, and for 0 while a release runs;
    ClusterError for the cluster.
    """
    for _ in range(TRIES - 1):
        with suppress(Conflict):  # a status was written meanwhile, most likely: look again
            return _scale(cluster, namespace, rollout, replicas)
    return _scale(cluster, namespace, rollout, replicas)


def _scale(cluster: Cluster, namespace: str, rollout: str | None, replicas: int) -> Scaled:
    family = find_family(cluster, namespace, rollout)
    name, before = name_of(family.target), int(family.target["spec"].get("replicas", 1))
    for autoscaler in autoscalers_of(cluster, namespace, family):
        raise CommandRefusedError(_owned(autoscaler, name, namespace))
    if family.active is not None:
        _refuse_zero(family.active, name, replicas)
    version = family.target["metadata"]["resourceVersion"]
    body = {"metadata": {"resourceVersion": version}, "spec": {"replicas": replicas}}
    cluster.apply(Patch(Kind.DEPLOYMENT, namespace, name, PatchType.MERGE, body, "scale"))
    return Scaled(name, before, replicas, _worded(family, before, replicas))


def _owned(autoscaler: Object, deployment: str, namespace: str) -> str:
    spec = autoscaler.get("spec") or {}
    low, high = spec.get("minReplicas") or 1, spec.get("maxReplicas")
    return (
        f"HorizontalPodAutoscaler {name_of(autoscaler)} owns the replicas of Deployment "
        f"{deployment} ({low} to {high}) and would take the change back: change its bounds, "
        f"{how_to_change(autoscaler, namespace)}"
    )


def _refuse_zero(release: Release, deployment: str, replicas: int) -> None:
    if replicas == 0:
        name = release.metadata.name
        raise CommandRefusedError(
            f"--replicas 0: release {name} is {release.status.phase}, and without Deployment "
            f"{deployment} there is nothing to go back to: `rollout rollback {name}` first, or "
            "wait for its end"
        )


def _worded(family: Family, before: int, replicas: int) -> str:
    """Say what was done, and what a release that runs makes of it."""
    done = f"Deployment {name_of(family.target)}: {before} to {replicas} replicas"
    release = family.active
    if release is None or family.candidate is None or before == replicas:
        return done
    way = (
        "the candidate follows, to keep its share"
        if replicas > before
        else "no candidate pod is stopped while it has traffic"
    )
    return f"{done}; release {release.metadata.name} goes on: {way}"
