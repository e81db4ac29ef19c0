"""Dropping an edit that waits on a paused Deployment after a release: its pods stay as they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rollout.commands.again import Idle, find_rollout, look_at_idle
from rollout.commands.refusal import CommandRefusedError
from rollout.engine.facts import same
from rollout.kube.cluster import Cluster
from rollout.kube.errors import Conflict
from rollout.resources.objects import annotations_of
from rollout.resources.words import RESTORE
from rollout.translation.targets import put_back


@dataclass(frozen=True)
class Discarded:
    """The template that was dropped, for whoever wants it back, and the sentence that says so."""

    template: Mapping[str, Any]
    message: str


def discard_edit(cluster: Cluster, namespace: str, rollout: str | None) -> Discarded:
    """Give a Deployment the template that serves, and unpause it as its user had it.

    Its ReplicaSet stays, so no pod is touched. Raises CommandRefusedError when nothing waits or
    that cannot be done now, ClusterError for the cluster.
    """
    idle = look_at_idle(cluster, namespace, find_rollout(cluster, namespace, rollout))
    name = idle.view.target_name
    target = idle.objects.named("deployments", name)
    if target is None or not _waits(idle):
        raise CommandRefusedError(
            f"no edit waits on Deployment {name}: its template is the one that serves"
        )
    _refuse_while_it_rolls(idle)
    try:
        cluster.apply(put_back(target, idle.serving.template))
    except Conflict as error:
        raise CommandRefusedError(
            f"Deployment {name} was changed at this moment: look again, nothing was discarded"
        ) from error
    return Discarded(
        target["spec"]["template"],
        f"Deployment {name} has the template that serves again (ReplicaSet {idle.serving.name}); "
        "no pod was touched",
    )


def _waits(idle: Idle) -> bool:
    target = idle.view.target
    return target is not None and not same(target.template, idle.serving.template)


def _refuse_while_it_rolls(idle: Idle) -> None:
    """Only an edit that a release has left behind is ours to drop: nothing of it runs."""
    target, raw = idle.view.target, idle.objects.named("deployments", idle.view.target_name)
    if target is None or raw is None:
        return
    if not target.paused:
        raise CommandRefusedError(
            f"Deployment {target.name} is not paused, so its edit is under way and does not wait: "
            f"`kubectl rollout undo deployment/{target.name}` takes it back"
        )
    if len(target.populated) > 1:
        names = ", ".join(pods.name for pods in target.populated)
        raise CommandRefusedError(
            f"Deployment {target.name} has pods of several templates ({names}), so its edit does "
            f"not wait: `kubectl rollout resume deployment/{target.name}` lets it settle first"
        )
    if RESTORE not in annotations_of(raw):
        raise CommandRefusedError(
            f"Deployment {target.name} was paused by somebody, not by a release, and its edit is "
            f"theirs: `rollout start VERSION` releases it, `kubectl rollout resume "
            f"deployment/{target.name}` rolls it out at once"
        )
