"""Going back to a version that served before, as a release on the fast path."""

from collections.abc import Iterator
from typing import Final

from rollout.commands.again import Idle, begin, find_rollout, look_at_idle, release_body
from rollout.commands.refusal import CommandRefusedError
from rollout.commands.request import Started
from rollout.engine.earlier import Earlier, alike, before, succeeded
from rollout.engine.facts import untracked
from rollout.kube.cluster import Cluster
from rollout.report.pod_words import version_of_image
from rollout.resources.objects import annotations_of, controller_uid, image_of, name_of
from rollout.resources.release import Release
from rollout.translation.deployments import without_hash
from rollout.translation.images import with_version

REVISION: Final = "deployment.kubernetes.io/revision"


def undo(
    cluster: Cluster, namespace: str, rollout: str | None, *, to: str | None, by: str, reason: str
) -> Started:
    """Ship what served before, or a named version that once served, without steps and gates.

    Raises CommandRefusedError for what stands against it, ClusterError for the cluster.
    """
    found = find_rollout(cluster, namespace, rollout)
    idle = look_at_idle(cluster, namespace, found)
    earlier = _named(idle, to) if to is not None else _last(idle)
    tag = version_of_image(earlier.image) if earlier.image else "template"
    spec = {"template": untracked(earlier.template), "fast": True, "by": by, "reason": reason}
    body = release_body(found, f"undo-{tag}", spec)
    what = earlier.image or "an earlier template"
    said = f"{what} is brought back, as {earlier.release} had it"
    return begin(cluster, namespace, found, body, said)


def _last(idle: Idle) -> Earlier:
    """Give what served before: from the releases, else from the Deployment's own history."""
    releases = _releases(idle)
    found = before(releases, idle.serving.template) or _before_us(idle, releases)
    if found is None:
        raise CommandRefusedError(
            f"nothing tells what served before {_serving_image(idle)} in Rollout "
            f"{name_of(idle.rollout)}, neither its releases nor the ReplicaSets of Deployment "
            f"{idle.view.target_name}: `rollout undo --to VERSION` or `rollout start VERSION` "
            "ships a version that you name"
        )
    return found


def _before_us(idle: Idle, releases: list[Release]) -> Earlier | None:
    """Give the newest template of the Deployment that no release has shipped or replaced.

    Those that releases know of are on their pile, or were fled from.
    """
    resolved = [r.status.resolved for r in succeeded(releases) if r.status.resolved]
    known = [t for one in resolved for t in (one.template, one.stable_template)]
    others = (one for one in _revisions(idle) if not any(alike(one.template, t) for t in known))
    return next(others, None)


def _serving_image(idle: Idle) -> str:
    return image_of(idle.serving.template, idle.view.container) or "this template"


def _named(idle: Idle, to: str) -> Earlier:
    known = list(_known(idle))
    found = next((one for one in known if with_version(one.image, to) == one.image), None)
    if found is None:
        there = ", ".join(dict.fromkeys(one.image for one in known)) or "none"
        raise CommandRefusedError(
            f"--to {to!r}: no such version has served as far as is known (these have: {there}): "
            f"name one of them, or ship it step by step with `rollout start {to}`"
        )
    return found


def _known(idle: Idle) -> Iterator[Earlier]:
    """Give every version that is known to have served, the newest first."""
    for release in reversed(succeeded(_releases(idle))):
        resolved, name = release.status.resolved, f"release {release.metadata.name}"
        if resolved is not None:
            yield Earlier(resolved.template, resolved.image, name)
            yield Earlier(resolved.stable_template, resolved.stable_image, name)
    yield from _revisions(idle)


def _releases(idle: Idle) -> list[Release]:
    name = name_of(idle.rollout)
    mine = [one for one in idle.objects.releases if one["spec"]["rollout"] == name]
    return [Release.model_validate(one) for one in mine]


def _revisions(idle: Idle) -> Iterator[Earlier]:
    """Give the Deployment's earlier templates, as its ReplicaSets keep them, the newest first."""
    target = idle.view.target
    mine = [
        one
        for one in idle.objects.replica_sets
        if target is not None and controller_uid(one) == target.uid
    ]
    for one in sorted(mine, key=lambda o: int(annotations_of(o).get(REVISION, 0)), reverse=True):
        template = without_hash(one["spec"]["template"])
        if not alike(template, idle.serving.template):
            image = image_of(template, idle.view.container)
            yield Earlier(template, image, f"ReplicaSet {name_of(one)}")
