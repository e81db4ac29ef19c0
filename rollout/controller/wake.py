"""Which Rollouts a changed object concerns: cheap, and rather once too often than not at all."""

from collections.abc import Callable, Iterable, Iterator

from rollout.controller.queue import Key
from rollout.kube.cache import Change
from rollout.resources.release import Phase
from rollout.resources.writes import Kind, Object

Releases = Callable[[str], Iterable[Object]]
"""Gives the releases of a namespace."""


def concerned(change: Change, releases: Releases, rollouts: Releases) -> Iterator[Key]:
    """Yield the keys of the Rollouts that a change may concern."""
    if change.kind is Kind.ROLLOUT:
        yield change.namespace, change.name
        return
    if change.kind is Kind.RELEASE:
        release = change.new or change.old or {}
        yield change.namespace, str(release["spec"]["rollout"])
        return
    if not change.namespace:
        return
    targets = {
        str(r["metadata"]["name"]): str(r["spec"]["target"]["deployment"])
        for r in rollouts(change.namespace)
    }
    for name in {str(r["spec"]["rollout"]) for r in releases(change.namespace) if not _ended(r)}:
        if _may_concern(change, targets.get(name, name)):
            yield change.namespace, name


def _may_concern(change: Change, deployment: str) -> bool:
    """Pods and ReplicaSets are named after their Deployment; all else is looked at anyway."""
    if change.kind in {Kind.POD, Kind.REPLICA_SET}:
        return change.name.startswith(f"{deployment}-")
    if change.kind is Kind.DEPLOYMENT:
        return change.name in {deployment, f"{deployment}-candidate"}
    return True


def _ended(release: Object) -> bool:
    return Phase((release.get("status") or {}).get("phase") or Phase.PENDING).ended


def is_urgent(change: Change) -> bool:
    """Whether a person asks for something."""
    if change.kind is not Kind.RELEASE or change.new is None:
        return False
    before = ((change.old or {}).get("spec") or {}).get("action")
    return bool(change.new["spec"].get("action") != before)
