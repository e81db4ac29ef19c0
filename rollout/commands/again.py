"""Releases that ship something known: again, back, or anew. What they share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rollout.commands.early import read, refuse_beside
from rollout.commands.refusal import CommandRefusedError
from rollout.commands.request import Started
from rollout.commands.spaces import refuse_missing
from rollout.commands.start import create, release_of
from rollout.engine.snapshot import PodSet, Snapshot
from rollout.kube.cluster import Cluster
from rollout.resources.objects import name_of
from rollout.resources.writes import Kind, Object
from rollout.translation.objects import Objects
from rollout.translation.snapshots import snapshot

NOT_YET = "not-yet"
"""A version that nobody has, to look at a Rollout without a release."""


@dataclass(frozen=True)
class Idle:
    """A Rollout that no release is under way of, and what is there."""

    rollout: Object
    objects: Objects
    view: Snapshot
    serving: PodSet
    """The ReplicaSet that users have."""


def find_rollout(cluster: Cluster, namespace: str, name: str | None) -> Object:
    """Find a Rollout by its name, or its Deployment's, or the only one there is.

    Raises CommandRefusedError naming the candidates when that is not clear.
    """
    known = cluster.list(Kind.ROLLOUT, namespace).items
    exact = [one for one in known if name_of(one) == name]
    mine = exact or [one for one in known if name in {None, one["spec"]["target"]["deployment"]}]
    if len(mine) == 1:
        return mine[0]
    if not known:
        refuse_missing(cluster, namespace)
    there = ", ".join(sorted(map(name_of, known))) or "none"
    what = f"there is no Rollout {name}" if name else "which Rollout?"
    raise CommandRefusedError(
        f"{what} in namespace {namespace} (there are: {there}): name one of them"
        if known
        else f"there is no Rollout in namespace {namespace}: "
        "`rollout start VERSION --deployment NAME` makes one"
    )


def look_at_idle(cluster: Cluster, namespace: str, rollout: Object) -> Idle:
    """Read what is there; raises CommandRefusedError while a release runs, or nothing serves."""
    body = release_body(rollout, NOT_YET, {"version": NOT_YET})
    objects = read(cluster, namespace, rollout, body)
    refuse_beside(objects, name_of(rollout))
    view = snapshot(objects)
    if view.target is None:
        raise CommandRefusedError("; ".join(view.missing))
    serving = max(view.target.populated, key=lambda pods: (pods.ready, pods.alive), default=None)
    if serving is None:
        raise CommandRefusedError(
            f"Deployment {view.target_name} has no pods, so nothing serves: scale it up"
        )
    return Idle(rollout, objects, view, serving)


def release_body(rollout: Object, what: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Word a Release; `what` is said in its name. Empty fields of `spec` are left out."""
    said = {key: value for key, value in spec.items() if value}
    return release_of(rollout, what, {"rollout": name_of(rollout), **said})


def begin(
    cluster: Cluster, namespace: str, rollout: Object, release: dict[str, Any], *said: str
) -> Started:
    """Create a Release that the controller's rules have nothing against.

    Raises CommandRefusedError for what stands against it, ClusterError for the cluster.
    """
    return create(cluster, namespace, rollout, release, assumed=list(said))
