"""Trying a release again: a new Release that ships the same thing in the same way."""

from typing import Final

from rollout.commands.again import begin, release_body
from rollout.commands.refusal import CommandRefusedError
from rollout.commands.request import Started
from rollout.kube.cluster import Cluster
from rollout.kube.errors import NotFound
from rollout.resources.objects import name_of
from rollout.resources.writes import Kind, Object

SAME: Final = ("version", "template", "overrides", "fast")
"""What a new attempt takes over; who asks and why is new."""


def retry(cluster: Cluster, namespace: str, release: str, by: str, reason: str) -> Started:
    """Start a new release with the version (or template) and overrides of an earlier one.

    Raises CommandRefusedError for what stands against it (it still runs, its version serves
    already, its Rollout is gone), ClusterError for the cluster.
    """
    earlier = cluster.get(Kind.RELEASE, namespace, release)
    rollout = _rollout(cluster, namespace, earlier)
    spec = {key: earlier["spec"][key] for key in SAME if key in earlier["spec"]}
    what = str(spec.get("version", "template"))
    body = release_body(rollout, what, {**spec, "by": by, "reason": reason})
    return begin(cluster, namespace, rollout, body)


def _rollout(cluster: Cluster, namespace: str, release: Object) -> Object:
    name = str(release["spec"]["rollout"])
    try:
        return cluster.get(Kind.ROLLOUT, namespace, name)
    except NotFound as error:
        raise CommandRefusedError(
            f"Rollout {name} of release {name_of(release)} is gone: `rollout start` makes a new one"
        ) from error
