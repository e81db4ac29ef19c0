"""The stamp of a leader on all objects of a release: what an earlier leader still sends is refused.

A leader that was frozen in the middle of a write may wake long after somebody else leads, and its
write is then on the wire already: no lease can call it back. But every patch and delete carries
the resourceVersion that it was decided on. So a new leader moves the resourceVersion of each
object that such a write may be for, before it decides anything itself. The value tells leaders
apart, because a patch that changes nothing moves nothing.
"""

from collections.abc import Iterator
from typing import TypeAlias

from rollout.resources.guarded import merge
from rollout.resources.objects import annotations_of, is_terminating, uid_of
from rollout.resources.release import Phase, Release
from rollout.resources.rollout import Rollout
from rollout.resources.words import EPOCH
from rollout.resources.writes import Kind, Object, Patch
from rollout.translation.objects import Objects
from rollout.translation.ownership import Owner, made_by
from rollout.translation.snapshots import scene_of

Named: TypeAlias = tuple[Kind, Object]


def stamps(objects: Objects, epoch: str) -> tuple[Patch, ...]:
    """Say how the objects of a release get a leader's stamp, the Release before all others.

    A release that is Pending has written to nothing but itself, and what it writes next is its
    own status: the stamp on it alone stops all that would follow.
    """
    release = objects.parsed
    value = f"{epoch} {release.metadata.uid}"
    found = [(Kind.RELEASE, objects.release)]
    if release.status.phase is not Phase.PENDING:
        found += _written(objects, release)
    return tuple(
        merge(kind, obj, {}, {EPOCH: value})
        for kind, obj in found
        if annotations_of(obj).get(EPOCH) != value
    )


def _written(objects: Objects, release: Release) -> Iterator[Named]:
    """Every object that a release writes to besides itself; what moves traffic comes first."""
    rollout = Rollout.model_validate(objects.rollout) if objects.rollout is not None else None
    scene = scene_of(objects, release, rollout)
    services = [*scene.found.services, *([scene.preview] if scene.preview else [])]
    yield from ((Kind.SERVICE, service) for service in services)
    yield from _ours(objects, release)
    if scene.target is not None:
        yield Kind.DEPLOYMENT, scene.target
    if objects.rollout is not None:
        yield Kind.ROLLOUT, objects.rollout


def _ours(objects: Objects, release: Release) -> Iterator[Named]:
    """Objects that this release or an earlier one of the same Rollout has made."""
    made = [(Kind.INGRESS, ingress) for ingress in objects.ingresses]
    made += [(Kind.SERVICE, service) for service in objects.services]
    made += [(Kind.DEPLOYMENT, deployment) for deployment in objects.deployments]
    return ((kind, obj) for kind, obj in made if made_by(obj, release) is not Owner.SOMEBODY)


def unstamped(objects: Objects) -> tuple[Patch, ...]:
    """Say how the stamp comes off what is the user's (I5).

    Each restoring patch takes it along; this is for what needed no restoring, or had been
    restored when the leader changed.
    """
    uid = uid_of(objects.release)
    theirs = [(Kind.SERVICE, service) for service in objects.services]
    theirs += [(Kind.DEPLOYMENT, deployment) for deployment in objects.deployments]
    theirs += [(Kind.ROLLOUT, objects.rollout)] if objects.rollout is not None else []
    return tuple(
        merge(kind, obj, {}, {EPOCH: None})
        for kind, obj in theirs
        if _is_stamped(obj, uid) and not is_terminating(obj)
    )


def _is_stamped(obj: Object, uid: str) -> bool:
    return annotations_of(obj).get(EPOCH, "").endswith(f" {uid}")
