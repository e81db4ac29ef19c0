"""Questions about a snapshot that more than one phase asks."""

import json
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from math import ceil
from typing import Any

from rollout.engine.portions import WHOLE, pods_for_share, rounded_share
from rollout.engine.snapshot import PodSet, ServiceView, Snapshot, Template
from rollout.resources.release import Phase, ReadyPods, ReleaseStatus
from rollout.resources.rollout import Adoption, CanaryStep, ShareBy
from rollout.resources.words import POD_TEMPLATE_HASH, TRACK


def tidy(value: Any) -> Any:
    """Drop nulls and empty maps, which the API server writes or leaves out as it likes."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        kept = {key: tidy(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in (None, {}, [])}
    if isinstance(value, list | tuple):
        return [tidy(item) for item in value]
    return value


def bare(template: Template) -> Any:
    """Return a template without the labels that tell versions and tracks apart."""
    plain = tidy(template)
    labels = plain.get("metadata", {}).get("labels", {})
    kept = {k: v for k, v in labels.items() if k not in {POD_TEMPLATE_HASH, TRACK}}
    metadata = {**plain.get("metadata", {}), "labels": kept}
    return tidy({**plain, "metadata": metadata})


def untracked(template: Template) -> dict[str, Any]:
    """Return a template without the track label: as the target will have it."""
    metadata = dict(template.get("metadata") or {})
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k != TRACK}
    return {**template, "metadata": {**metadata, "labels": labels}}


def same(one: Template | None, other: Template | None) -> bool:
    """Whether two pod templates ask for the same pods."""
    if one is None or other is None:
        return False
    return one == other or bare(one) == bare(other)


def fingerprint(template: Template) -> str:
    """Return what tells a template from others: equal for all that ask for the same pods."""
    return sha256(json.dumps(bare(template), sort_keys=True).encode()).hexdigest()[:16]


def candidate_template(snapshot: Snapshot, status: ReleaseStatus) -> Template | None:
    """Return the template that is shipped: as the release has written it down.

    It went through the server's defaulting when the candidate was created. The candidate itself
    is not asked again: somebody may have edited it.
    """
    resolved = status.resolved
    return resolved.template if resolved else snapshot.template


def stable_pods(snapshot: Snapshot, status: ReleaseStatus) -> PodSet | None:
    """Return the ReplicaSet of the version that users had when the release began."""
    if snapshot.target is None:
        return None
    by_hash = snapshot.target.with_hash(status.hashes.stable)
    if by_hash is not None or status.resolved is None:
        return by_hash
    template = status.resolved.stable_template
    return next((p for p in snapshot.target.pod_sets if same(p.template, template)), None)


def stable_ready(snapshot: Snapshot, status: ReleaseStatus) -> int:
    """Count the ready pods of the version that users had."""
    pods = stable_pods(snapshot, status)
    return pods.ready if pods else 0


def candidate_pods(snapshot: Snapshot, status: ReleaseStatus) -> PodSet | None:
    """Return the ReplicaSet of the candidate Deployment that has its current template."""
    if snapshot.candidate is None or snapshot.candidate.left:
        return None
    if status.hashes.candidate is not None:
        return snapshot.candidate.with_hash(status.hashes.candidate)
    return next(
        (p for p in snapshot.candidate.pod_sets if same(p.template, snapshot.candidate.template)),
        None,
    )


def candidate_ready(snapshot: Snapshot, status: ReleaseStatus) -> int:
    """Count the ready pods of the candidate."""
    pods = candidate_pods(snapshot, status)
    return pods.ready if pods else 0


def candidate_alive(snapshot: Snapshot) -> int:
    """Count the pods of the candidate Deployment that are not terminating."""
    if snapshot.candidate is None:
        return 0
    return sum(pods.alive for pods in snapshot.candidate.pod_sets)


def ready_of(snapshot: Snapshot, hash_: str | None) -> int:
    """Count the ready pods of a pod-template-hash, whoever owns them."""
    owners = [d for d in (snapshot.target, snapshot.candidate) if d is not None]
    found = (owner.with_hash(hash_) for owner in owners)
    return sum(pods.ready for pods in found if pods is not None)


def foreign_ready(snapshot: Snapshot, status: ReleaseStatus) -> PodSet | None:
    """Return a ReplicaSet of the target with ready pods that is neither stable nor adopted."""
    if snapshot.target is None:
        return None
    ours = {status.hashes.stable, status.hashes.adopted}
    others = [p for p in snapshot.target.pod_sets if p.ready > 0 and p.hash not in ours]
    return max(others, key=lambda pods: pods.ready, default=None)


def on_candidate(snapshot: Snapshot, status: ReleaseStatus) -> tuple[ServiceView, ...]:
    """Return the Services that send all their requests to the candidate Deployment."""
    hash_ = status.hashes.candidate
    return tuple(s for s in snapshot.services if hash_ is not None and s.pinned == hash_)


def by_pods(snapshot: Snapshot) -> bool:
    """Whether the number of candidate pods is the share, and no route has a weight."""
    stepwise = snapshot.strategy.canary is not None and not snapshot.fast
    return stepwise and snapshot.traffic.share_by is ShareBy.REPLICAS


def in_place(snapshot: Snapshot) -> bool:
    """Whether the target rolls while it serves, and no cutover comes before."""
    return snapshot.adoption is Adoption.IN_PLACE


def carriers(snapshot: Snapshot) -> tuple[ServiceView, ...]:
    """Return the Services that carry the split; all others stay with the stable version."""
    return tuple(s for s in snapshot.services if s.name in snapshot.carriers)


def widened(snapshot: Snapshot) -> tuple[ServiceView, ...]:
    """Return the Services by which candidate pods get requests because they are there."""
    if not by_pods(snapshot) or candidate_alive(snapshot) == 0:
        return ()
    return tuple(service for service in carriers(snapshot) if service.pinned is None)


def share_pods(snapshot: Snapshot, status: ReleaseStatus) -> ReadyPods | None:
    """Return the ready pods that make the candidate's share; None where pods do not make it."""
    if not widened(snapshot):
        return None
    ready = candidate_ready(snapshot, status)
    return ReadyPods(candidate=ready, stable=stable_ready(snapshot, status))


def applied_weight(snapshot: Snapshot, status: ReleaseStatus) -> int:
    """Return the share of requests that goes to the new version, as read from the objects."""
    if on_candidate(snapshot, status):
        return WHOLE
    if "opened" in status.marks:
        return _rolled_share(snapshot, status)
    pods = share_pods(snapshot, status)
    if pods is not None:
        return rounded_share(pods.candidate, pods.stable)
    return max((route.weight for route in snapshot.routes if route.exists), default=0)


def _rolled_share(snapshot: Snapshot, status: ReleaseStatus) -> int:
    """In a target that rolls while it serves, the share is made by its own pods."""
    template = candidate_template(snapshot, status)
    sets = snapshot.target.pod_sets if snapshot.target else ()
    new = sum(pods.ready for pods in sets if same(pods.template, template))
    return rounded_share(new, sum(pods.ready for pods in sets) - new)


def share_base(snapshot: Snapshot, status: ReleaseStatus) -> int:
    """Return the stable pods that a share is made beside: as many as the target asks for.

    Where an autoscaler need not follow, the size at the start bounds the candidate's.
    """
    asked = snapshot.target.replicas if snapshot.target else 0
    resolved = status.resolved
    return min(asked, resolved.replicas) if snapshot.fixed_base and resolved else asked


def base_replicas(snapshot: Snapshot, status: ReleaseStatus) -> int:
    """Return the size that shares are taken of: the target's, or its size at the start."""
    resolved = status.resolved
    if snapshot.fixed_base and resolved is not None:
        return max(resolved.replicas, 1)
    return max(snapshot.target.replicas if snapshot.target else 0, 1)


def pods_for(step: CanaryStep, base: int) -> int:
    """Return how many candidate pods a step needs: at least 1, rounded up."""
    if step.replicas is None:
        wanted = ceil(base * step.weight / 100)
    elif step.replicas.endswith("%"):
        wanted = ceil(base * int(step.replicas[:-1]) / 100)
    else:
        wanted = int(step.replicas)
    return max(wanted, 1)


def step_pods(snapshot: Snapshot, status: ReleaseStatus, step: CanaryStep) -> int:
    """Return how many candidate pods a step needs; 0 where pods cannot make its share."""
    if by_pods(snapshot):
        return pods_for_share(step.weight, share_base(snapshot, status))
    return pods_for(step, base_replicas(snapshot, status))


def holds_step(snapshot: Snapshot, status: ReleaseStatus) -> bool:
    """Whether the candidate has, or may have, the share of a step now, paused or not."""
    where = status.paused_from.phase if status.paused_from else status.phase
    return where is Phase.PROGRESSING or (where is Phase.BAKING and in_place(snapshot))


def bake_clock(snapshot: Snapshot) -> str:
    """Return the mark from which the bake counts."""
    return "bake" if in_place(snapshot) else "cutover"


def current_step(snapshot: Snapshot, status: ReleaseStatus) -> CanaryStep | None:
    """Return the canary step that the release is at; None for blue-green."""
    canary = snapshot.strategy.canary
    if canary is None:
        return None
    return canary.steps[min(status.step, len(canary.steps) - 1)]


def step_count(snapshot: Snapshot) -> int:
    """Count the steps; blue-green has one: the preview."""
    return len(snapshot.strategy.canary.steps) if snapshot.strategy.canary else 1


def drain(snapshot: Snapshot) -> timedelta:
    """Return how long to wait after a move of traffic."""
    return snapshot.strategy.common.drain


def edited(snapshot: Snapshot, status: ReleaseStatus) -> bool:
    """Whether somebody has changed the target's template since the release began."""
    if snapshot.target is None or status.resolved is None:
        return False
    template = snapshot.target.template
    stable = status.resolved.stable_template
    if same(template, stable) or same(template, candidate_template(snapshot, status)):
        return False
    return fingerprint(template) != status.resolved.target_template_hash


def unserved(snapshot: Snapshot, status: ReleaseStatus) -> bool:
    """Whether the target holds a template that must not roll by itself.

    With trigger Template that is also the one of a release that goes back.
    """
    if snapshot.target is None or status.resolved is None:
        return False
    if not by_template(status) or status.committed:
        return edited(snapshot, status)
    return not same(snapshot.target.template, status.resolved.stable_template)


def by_template(status: ReleaseStatus) -> bool:
    """Whether the target has been paused with a template of its own: trigger Template."""
    return status.resolved is not None and status.resolved.target_template_hash is not None


def ships_own(snapshot: Snapshot, status: ReleaseStatus) -> bool:
    """Whether this release ships the template that was on the target when it was asked for."""
    template, resolved = candidate_template(snapshot, status), status.resolved
    if template is None or resolved is None:
        return False
    return fingerprint(template) == resolved.target_template_hash
