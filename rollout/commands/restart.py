"""New pods of the version that serves, as a release: through the steps, like any other."""

from datetime import datetime
from typing import Any

from rollout.commands.again import begin, find_rollout, look_at_idle, release_body
from rollout.commands.request import Started
from rollout.engine.earlier import RESTARTED
from rollout.engine.facts import untracked
from rollout.engine.snapshot import Template
from rollout.kube.cluster import Cluster


def restart(
    cluster: Cluster, namespace: str, rollout: str | None, *, by: str, reason: str, now: datetime
) -> Started:
    """Release the template that serves, with the annotation that asks for new pods.

    Raises CommandRefusedError for what stands against it, ClusterError for the cluster.
    """
    found = find_rollout(cluster, namespace, rollout)
    template = restarted(look_at_idle(cluster, namespace, found).serving.template, now)
    body = release_body(found, "restart", {"template": template, "by": by, "reason": reason})
    return begin(cluster, namespace, found, body)


def restarted(template: Template, now: datetime) -> dict[str, Any]:
    """Return a pod template that asks for new pods, as `kubectl rollout restart` words it."""
    whole = untracked(template)
    notes = dict(whole["metadata"].get("annotations") or {})
    said = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {**whole, "metadata": {**whole["metadata"], "annotations": {**notes, RESTARTED: said}}}
