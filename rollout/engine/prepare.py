"""Pending and Preparing: from an untouched cluster to a candidate that waits at weight 0.

The order is the design: write down what is there, stop the target from rolling, narrow the
Services so that no candidate pod can get a request by its labels, and only then create one.
"""

from datetime import datetime, timedelta
from typing import Final

from rollout.engine.admission import WAITS, objections
from rollout.engine.draft import Draft, Need, drained
from rollout.engine.facts import (
    base_replicas,
    candidate_pods,
    candidate_template,
    current_step,
    edited,
    step_pods,
    untracked,
)
from rollout.engine.giving_back import candidate_gone
from rollout.engine.plan import (
    CreateCandidate,
    CreateRoute,
    CreateSideService,
    DeleteRoute,
    DeleteSideService,
    Enter,
    PauseTarget,
    Select,
    SetWeight,
)
from rollout.engine.rejecting import rejection
from rollout.engine.rollback import go_back
from rollout.engine.saving import finalizers, saved
from rollout.engine.sizes import sized
from rollout.engine.snapshot import DeploymentView, Snapshot
from rollout.engine.supersede import outdated
from rollout.resources.duration import format_duration
from rollout.resources.image import tag_of
from rollout.resources.release import Phase

UNSEEN: Final = timedelta(seconds=10)
"""By which a Rollout may be known later than a Release of it that is as old."""


def pending(draft: Draft) -> bool:
    """Begin, wait for what passes by itself, or end with the reason why it cannot begin."""
    if outdated(draft):
        return False
    against = objections(draft.snapshot)
    if not against:
        draft.enter(
            Phase.PREPARING,
            "Started",
            _started(draft.snapshot),
            started_at=draft.now,
            progress_since=draft.now,
        )
        return True
    first = against[0]
    if _unseen(draft):
        return draft.wait("NoRollout", first.message)
    if first.passing and (first.reason == WAITS or not draft.expired(*_patience(draft))):
        return draft.wait(first.reason, first.message)
    end = Phase.CANCELLED if first.reason in {"AlreadyServing", "RivalExists"} else Phase.FAILED
    draft.do(*rejection(draft))
    draft.enter(end, first.reason, first.message, finished_at=draft.now)
    return False


def _unseen(draft: Draft) -> bool:
    """Whether the Rollout may only not have been seen yet.

    `rollout start` makes both at once, and each kind is watched on its own.
    """
    created = draft.snapshot.release.metadata.creation_timestamp or draft.now
    return draft.snapshot.rollout is None and not draft.expired(created, UNSEEN)


def _patience(draft: Draft) -> tuple[datetime, timedelta]:
    """From when, and for how long, what passes by itself is waited for."""
    created = draft.snapshot.release.metadata.creation_timestamp or draft.now
    since = max(created, draft.snapshot.quiet_since or created)
    return since, draft.snapshot.strategy.common.progress_deadline


def _started(snapshot: Snapshot) -> str:
    what = snapshot.release.spec.version or "a new template"
    who = f" by {snapshot.release.spec.by}" if snapshot.release.spec.by else ""
    why = f": {snapshot.release.spec.reason}" if snapshot.release.spec.reason else ""
    if snapshot.fast:
        what = tag_of(snapshot.image) or what
        return f"{what} of {snapshot.target_name} is released on the fast path{who}{why}"
    return f"{what} of {snapshot.target_name} is released as {snapshot.strategy.name}{who}{why}"


def target_paused(draft: Draft) -> bool:
    """Stop the target from rolling; undo when it had begun to roll meanwhile."""
    target = draft.snapshot.target
    if target is None:
        return go_back(draft, Phase.FAILED, "TargetGone", "the target Deployment is gone")
    if draft.marked("narrowed") is None and _rolling(draft):
        return go_back(
            draft,
            Phase.FAILED,
            "TargetNotSettled",
            f"Deployment {target.name} began an update of its own before it could be paused: "
            "start again when that is over",
        )
    if not target.paused or target.saved is None:
        draft.do(PauseTarget())
        return draft.wait("PausingTarget", f"pausing Deployment {target.name}")
    if not target.observed:
        return draft.wait("PausingTarget", f"Deployment {target.name} has yet to see its pause")
    return True


def _rolling(draft: Draft) -> bool:
    """Whether the target has begun, or will begin, an update of its own."""
    target = draft.snapshot.target
    if target is None:
        return False
    about_to = not target.paused and edited(draft.snapshot, draft.status)
    return about_to or len(target.populated) > 1


def services_narrowed(draft: Draft) -> bool:
    """Narrow every Service to the stable version, and let routers follow."""
    stable = draft.status.hashes.stable
    if stable is None:
        raise ValueError("a release that is prepared has no stable hash")
    wide = [s for s in draft.snapshot.services if s.pinned != stable]
    preview = draft.snapshot.preview
    shown = {stable, draft.status.hashes.candidate} - {None}
    if preview is not None and preview.pinned not in shown:
        wide.append(preview)  # until the candidate is ready it shows what there is
    draft.do(*(Select(service.name, stable) for service in wide))
    if wide:
        draft.unmark("narrowed")
        return draft.wait("Narrowing", "narrowing the Services to the stable version")
    if draft.snapshot.fast:
        # A router that lags sends a share to a version that gets everything in a moment.
        draft.mark("narrowed")
        return True
    return drained(draft, "narrowed", "the Services select the stable version")


def leftovers_gone(draft: Draft) -> bool:
    """Clear away what an earlier release left behind: its traffic first, then its pods."""
    snapshot = draft.snapshot
    routes = [r for r in snapshot.routes if r.exists and r.left]
    sides = [s for s in snapshot.side_services if s.exists and s.left]
    candidate = snapshot.candidate if snapshot.candidate and snapshot.candidate.left else None
    if not (routes or sides or candidate):
        return True
    loud = [route for route in routes if route.weight > 0]
    if loud:
        draft.unmark("cleared")
        draft.do(*(SetWeight(route.ingress, 0) for route in loud))
        return draft.wait("ClearingLeftovers", "an earlier release's share goes back to stable")
    if not drained(draft, "cleared", "an earlier release's canary has no traffic"):
        return False
    draft.do(*(DeleteRoute(route.ingress) for route in routes))
    if not routes and (candidate is None or candidate_gone(draft)):
        draft.do(*(DeleteSideService(side.service) for side in sides))
    return draft.wait("ClearingLeftovers", "what an earlier release left behind is cleared away")


def candidate_created(draft: Draft) -> bool:
    """Create the candidate Deployment empty, and learn its hash."""
    snapshot = draft.snapshot
    if snapshot.taken:
        names = ", ".join(snapshot.taken)
        return draft.wait("NameTaken", f"{names}: exists and was not made by us; delete it")
    if snapshot.candidate is None:
        template = candidate_template(snapshot, draft.status)
        if template is None:
            raise ValueError("a release that is prepared has no template")
        draft.do(CreateCandidate(template))
        return draft.wait("CreatingCandidate", f"creating Deployment {snapshot.candidate_name}")
    pods = candidate_pods(snapshot, draft.status)
    if pods is None or not snapshot.candidate.observed:
        return draft.wait("CreatingCandidate", "waiting for the candidate's ReplicaSet")
    if draft.status.hashes.candidate != pods.hash:
        _learn(draft, pods.hash, snapshot.candidate)
    return True


def _learn(draft: Draft, hash_: str, candidate: DeploymentView) -> None:
    """Note the candidate's hash, and its template with the server's defaults in it."""
    draft.update(hashes=draft.status.hashes.model_copy(update={"candidate": hash_}))
    if draft.status.resolved is not None:
        template = untracked(candidate.template)
        draft.update(resolved=draft.status.resolved.model_copy(update={"template": template}))
    draft.do(Enter(draft.status))


def preparing_size(draft: Draft) -> int:
    """How many candidate pods the first thing after Preparing needs."""
    snapshot = draft.snapshot
    base = base_replicas(snapshot, draft.status)
    step = current_step(snapshot, draft.status)
    if step is not None:
        return step_pods(snapshot, draft.status, step)
    preview = snapshot.strategy.blue_green
    return (preview.preview_replicas if preview else None) or base


def candidate_sized(draft: Draft) -> bool:
    """Bring the candidate to the size for what comes next; on the fast path Promoting does."""
    return draft.snapshot.fast or sized(draft, preparing_size(draft))


def side_services(draft: Draft) -> bool:
    """Create the Services that select the candidate; the fast path needs none."""
    if draft.snapshot.fast:
        return True
    hash_ = draft.status.hashes.candidate or ""
    lacking = [s for s in draft.snapshot.side_services if not s.exists]
    draft.do(*(CreateSideService(side.service, hash_) for side in lacking))
    preview = draft.snapshot.preview
    if preview is not None and preview.pinned != hash_:
        draft.do(Select(preview.name, hash_))
        return False
    return not lacking


def routes_at_zero(draft: Draft) -> bool:
    """Create the canary routes at weight 0, and let routers learn of them."""
    if draft.snapshot.strategy.canary is None or draft.snapshot.fast:
        return True
    lacking = [r for r in draft.snapshot.routes if not r.exists]
    draft.do(*(CreateRoute(route.ingress) for route in lacking))
    loud = [r for r in draft.snapshot.routes if r.exists and r.weight != 0]
    draft.do(*(SetWeight(route.ingress, 0) for route in loud))
    if lacking or loud:
        return draft.wait("CreatingRoute", "creating the canary route at weight 0")
    return drained(draft, "routed", "the canary route is there at weight 0")


def in_time(draft: Draft) -> bool:
    """Go back when what a phase or step begins with has had its time.

    Once the weight was reached this is over. A candidate that lost its ready pods later has its
    time from the first such moment, however often it comes up in between.
    """
    if draft.marked("weight") is not None:
        return True
    since = draft.marked("shaky") or draft.status.progress_since or draft.now
    allowed = draft.snapshot.strategy.common.progress_deadline
    if not draft.expired(since, allowed):
        return True
    return go_back(
        draft,
        Phase.ROLLED_BACK,
        "ProgressDeadlineExceeded",
        f"{format_duration(allowed)} were not enough: {draft.status.message}",
    )


def prepared(draft: Draft) -> bool:
    """Go on to the first step; on the fast path to all traffic."""
    if draft.snapshot.fast:
        draft.enter(
            Phase.PROMOTING,
            "Promoting",
            "the candidate takes all traffic as soon as its pods are ready",
            progress_since=draft.now,
        )
        return True
    draft.enter(
        Phase.PROGRESSING,
        "StepEntered",
        "the candidate is ready and has no traffic yet",
        step=0,
        progress_since=draft.now,
    )
    return True


NEEDS: tuple[Need, ...] = (
    in_time,
    finalizers,
    saved,
    target_paused,
    services_narrowed,
    leftovers_gone,
    candidate_created,
    candidate_sized,
    side_services,
    routes_at_zero,
    prepared,
)
