"""What is asked before anything is created: the rules of the controller, and what they saw."""

from collections.abc import Iterator
from typing import Any

from rollout.commands.readable import of_rollout
from rollout.commands.refusal import CommandRefusedError
from rollout.engine.admission import objections
from rollout.engine.facts import by_pods, share_base
from rollout.engine.portions import pods_for_share
from rollout.engine.snapshot import Snapshot
from rollout.kube.cluster import Cluster
from rollout.kube.errors import Refused
from rollout.resources.objects import image_of, name_of
from rollout.resources.release import Phase
from rollout.resources.writes import Kind, Object
from rollout.translation.objects import Objects
from rollout.translation.snapshots import snapshot


def refuse_early(
    cluster: Cluster, namespace: str, rollout: Object, release: dict[str, Any]
) -> Snapshot:
    """Ask the controller's own rules; gives what they looked at.

    Raises CommandRefusedError for what stands against it, ClusterError for the cluster.
    """
    objects = read(cluster, namespace, rollout, release)
    found = snapshot(objects)
    if found.rollout is None or not found.rollout.spec.supersedes:
        refuse_beside(objects, name_of(rollout))
    lasting = [objection for objection in objections(found) if not objection.passing]
    if lasting:
        raise CommandRefusedError(lasting[0].message)
    return found


def refuse_beside(objects: Objects, rollout: str) -> None:
    """Raise CommandRefusedError while a release of the Rollout runs."""
    for other, phase in _open(objects, rollout):
        committed = (other.get("status") or {}).get("committed")
        back = f", or `rollout rollback {name_of(other)}` first"
        way = " (it is past the way back)" if committed else back
        if phase is Phase.ROLLING_BACK:
            way = ""
        raise CommandRefusedError(f"release {name_of(other)} is {phase}: wait for its end{way}")


def _open(objects: Objects, rollout: str) -> Iterator[tuple[Object, Phase]]:
    """Give the releases of a Rollout that have not ended, with the phases they are in."""
    for other in of_rollout(objects.releases, rollout):
        phase = Phase((other.get("status") or {}).get("phase") or Phase.PENDING)
        if not phase.ended:
            yield other, phase


def read(cluster: Cluster, namespace: str, rollout: Object, release: dict[str, Any]) -> Objects:
    """Read what a decision about a new release rests on."""

    def items(kind: Kind) -> tuple[Object, ...]:
        return cluster.list(kind, namespace).items

    metadata = {"namespace": namespace, "uid": "", **release["metadata"]}
    known = {"uid": "", "namespace": namespace, **rollout["metadata"]}
    return Objects(
        release={**release, "metadata": metadata},
        rollout={**rollout, "metadata": known},
        rollouts=items(Kind.ROLLOUT),
        releases=items(Kind.RELEASE),
        deployments=items(Kind.DEPLOYMENT),
        replica_sets=items(Kind.REPLICA_SET),
        pods=items(Kind.POD),
        services=items(Kind.SERVICE),
        ingresses=items(Kind.INGRESS),
        ingress_classes=_classes(cluster),
        policies=items(Kind.ROLLOUT_POLICY),
    )


def _classes(cluster: Cluster) -> tuple[Object, ...] | None:
    try:
        return cluster.list(Kind.INGRESS_CLASS).items
    except Refused:
        return None


def discovered(found: Snapshot) -> list[str]:
    """Say what a Rollout that names nothing means in this cluster."""
    said = [f"container {found.container} of Deployment {found.target_name} is the version"]
    if found.carriers:
        said.append(f"Services that carry the split: {', '.join(found.carriers)}")
    if found.strategy.canary is not None and found.routes:
        routes = ", ".join(route.ingress for route in found.routes)
        said.append(f"Ingresses that get a canary beside them: {routes}")
    return said


def shares(found: Snapshot) -> list[str]:
    """Say how the share is made where no Ingress makes it, and what each step comes to."""
    named = found.rollout.spec.traffic.share_by if found.rollout is not None else None
    canary, target = found.strategy.canary, found.target
    if canary is None or target is None or named is not None or not by_pods(found):
        return []
    stable = share_base(found, found.release.status)
    pods = [(step.weight, pods_for_share(step.weight, stable)) for step in canary.steps]
    made = ", ".join(f"{weight} % is {n} of {n + stable} pods" for weight, n in pods)
    return [f"no Ingress routes to the Services, so shares are made by pods, rounded down: {made}"]


def warnings(found: Snapshot) -> list[str]:
    """Say what may undo the release from outside."""
    said = [
        f"{rival.kind} {rival.name} makes room for it" for rival in found.rivals if rival.passing
    ]
    if found.rollout is not None and found.rollout.spec.by_template:
        return [*said, _followed(found)]
    manager = found.target.manager if found.target else ""
    if not manager:
        return said
    sentence = (
        f"{manager} owns Deployment {found.target_name}: its next sync of another template would "
        f"undo this release{'' if _same_version(found) else '; bring the version there too'}"
    )
    return [*said, sentence]


def _followed(found: Snapshot) -> str:
    return (
        f"trigger is Template: the next change of the template of Deployment {found.target_name} "
        f"takes its place{'' if _same_version(found) else ', so bring the version there too'}"
    )


def _same_version(found: Snapshot) -> bool:
    """Whether the Deployment has the very image already, as with new pods of one version."""
    target = found.target
    return target is not None and image_of(target.template, found.container) == found.image
