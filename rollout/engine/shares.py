"""Shares that pods make, where no Ingress weights them: the Services select both versions.

Each ready pod gets as many requests as any other, so that the candidate's size is its share. It
is rounded down: no more pods than the step's weight allows beside those of the stable version. A
share of 0 is a Service that is narrowed to the stable version, as everywhere else. So pods come
first while the Services are narrowed, then the Services are widened; later steps only add pods.

When somebody scales the target down, the candidate has too many pods. They are not stopped while
they have traffic (I4): the Services are narrowed, the routers follow, pods go, the Services are
widened again.
"""

from rollout.engine.draft import Draft, drained
from rollout.engine.facts import (
    candidate_alive,
    candidate_ready,
    carriers,
    current_step,
    share_base,
    stable_ready,
    widened,
)
from rollout.engine.plan import Enter, ScaleCandidate, Select, Widen
from rollout.engine.portions import exceeds, pods_for_share
from rollout.engine.sizes import sized


def share_reached(draft: Draft, weight: int) -> bool:
    """Have the pods make a share of at most `weight` percent: pods, then the Services (I2, I4)."""
    allowed = pods_for_share(weight, share_base(draft.snapshot, draft.status))
    behind = [s for s in carriers(draft.snapshot) if s.pinned is not None]
    if not behind and not _too_many(draft, allowed) and draft.marked("weight") is not None:
        _grow(draft, weight, allowed)
        return True
    if draft.marked("weight") is not None:
        draft.unmark("weight")
        draft.update(progress_since=draft.now)  # to have it back has its own time
    return (
        _no_more_than(draft, allowed)
        and _enough(draft, weight, allowed)
        and _services_wide(draft, weight, allowed)
    )


def _too_many(draft: Draft, allowed: int) -> bool:
    candidate = draft.snapshot.candidate
    return candidate is not None and candidate.replicas > allowed


def _no_more_than(draft: Draft, allowed: int) -> bool:
    """Have no more candidate pods than allowed; they stop when no request goes to them (I4)."""
    if not _too_many(draft, allowed):
        return True
    if not narrowed(draft):
        return False
    draft.do(ScaleCandidate(allowed))
    return draft.wait("ScalingCandidate", f"the target has fewer pods: {allowed} are its share")


def narrowed(draft: Draft) -> bool:
    """Have all requests go to the stable version, and let routers follow."""
    wide = widened(draft.snapshot)
    if wide and stable_ready(draft.snapshot, draft.status) == 0:
        return draft.wait("WaitingForStable", "no pod of the stable version is ready to take over")
    if wide:
        draft.unmark("unshared")
        draft.weigh(0)
        stable = draft.status.hashes.stable or ""
        draft.do(*(Select(service.name, stable) for service in wide))
        return draft.wait("MovingTraffic", "the Services select the stable version alone")
    draft.unmark("shared")
    return drained(draft, "unshared", "no traffic is sent to the candidate")


def _enough(draft: Draft, weight: int, allowed: int) -> bool:
    """Have the candidate's pods; one that gets requests grows only as the share allows (I2)."""
    candidate = draft.snapshot.candidate
    if candidate is None or candidate.replicas >= allowed or not widened(draft.snapshot):
        return sized(draft, allowed)
    if _grow(draft, weight, allowed):
        return draft.wait("ScalingCandidate", f"scaling the candidate to {allowed}")
    ready = stable_ready(draft.snapshot, draft.status)
    return draft.wait(
        "WaitingForStable",
        f"{ready} stable pods are ready: {allowed} candidate pods would make more than {weight} %",
    )


def _grow(draft: Draft, weight: int, allowed: int) -> bool:
    """Let a candidate that gets requests grow as far as ready stable pods allow (I2)."""
    room = min(allowed, pods_for_share(weight, stable_ready(draft.snapshot, draft.status)))
    candidate = draft.snapshot.candidate
    if candidate is None or candidate.replicas >= room:
        return False
    draft.do(ScaleCandidate(room))
    return True


def _services_wide(draft: Draft, weight: int, allowed: int) -> bool:
    """Have the Services select both versions, once the pods make no more than the share."""
    snapshot, status = draft.snapshot, draft.status
    narrow = [s for s in carriers(snapshot) if s.pinned is not None]
    if not narrow:
        return True
    stable = stable_ready(snapshot, status)
    if candidate_alive(snapshot) > allowed or exceeds(
        candidate_ready(snapshot, status), stable, weight
    ):
        return draft.wait(
            "WaitingForStable", f"the pods would make more than {weight} % ({stable} stable ready)"
        )
    if draft.marked("shared") is None:
        draft.mark("shared")
        draft.do(Enter(draft.status))  # a wide Service is ours from here, also after a crash
    draft.unmark("unshared")
    draft.weigh(weight)
    draft.do(*(Widen(s.name, status.hashes.candidate or "", weight) for s in narrow))
    return draft.wait("SettingWeight", f"the Services select both versions: at most {weight} %")


def share_kept(draft: Draft) -> None:
    """While paused: follow the target's size, without a word about it."""
    step, where = current_step(draft.snapshot, draft.status), draft.status.paused_from
    begun = draft.marked("shared") is not None or draft.marked("unshared") is not None
    if step is None or where is None or where.reason == "ShareUnreachable" or not begun:
        return
    if stable_ready(draft.snapshot, draft.status) == 0:
        return
    reason, message = draft.status.reason, draft.status.message
    if pods_for_share(step.weight, share_base(draft.snapshot, draft.status)) > 0:
        share_reached(draft, step.weight)
    else:
        narrowed(draft)
    draft.update(reason=reason, message=message)
