"""Trying a release again: a new Release that ships the same thing in the same way."""

from typing import Any, Final

from rollout.commands.once import Once
from rollout.commands.refusal import NotThereError
from rollout.commands.request import Started
from rollout.commands.start import carry_out_once, create, release_of
from rollout.kube.cluster import Cluster
from rollout.kube.errors import NotFound
from rollout.resources.objects import name_of
from rollout.resources.writes import Kind, Object

SAME: Final = ("rollout", "version", "template", "overrides", "fast")
"""What a new attempt takes over; who asks and why is new."""


def retry(
    cluster: Cluster,
    namespace: str,
    release: str,
    by: str,
    reason: str,
    *,
    once: Once | None = None,
) -> Started:
    """Start a new release with the version (or template) and overrides of an earlier one.

    Raises CommandRefusedError for what stands against it (it still runs, its version serves
    already, its Rollout is gone), ClusterError for the cluster.
    """

    def begin() -> Started:
        earlier = cluster.get(Kind.RELEASE, namespace, release)
        spec = {key: earlier["spec"][key] for key in SAME if key in earlier["spec"]}
        spec |= {key: said for key, said in (("by", by), ("reason", reason)) if said}
        rollout = _rollout(cluster, namespace, earlier)
        body = release_of(rollout, str(spec.get("version", "template")), spec)
        return create(cluster, namespace, rollout, body, assumed=[], once=once)

    return carry_out_once(cluster, namespace, once, begin)


def _rollout(cluster: Cluster, namespace: str, release: dict[str, Any] | Object) -> Object:
    name = str(release["spec"]["rollout"])
    try:
        return cluster.get(Kind.ROLLOUT, namespace, name)
    except NotFound as error:
        raise NotThereError(
            f"Rollout {name} of release {name_of(release)} is gone: `rollout start` makes a new one"
        ) from error
