"""Giving back: ours goes, and what the user owned is as it was (I5). Both ends of a release do it.

Each need is about objects that no longer carry traffic: that has moved before.
"""

from rollout.engine.draft import Draft, drained
from rollout.engine.facts import (
    candidate_alive,
    fingerprint,
    foreign_ready,
    same,
    unserved,
)
from rollout.engine.plan import (
    DeleteCandidate,
    DeleteRoute,
    DeleteSideService,
    PauseTarget,
    RemoveFinalizer,
    RestoreService,
    RestoreTarget,
    ReturnTemplate,
    ScaleCandidate,
)
from rollout.engine.snapshot import DeploymentView, ServiceView, Snapshot, Template
from rollout.resources.words import RESTORE_FINALIZER
from rollout.resources.writes import Kind


def routes_gone(draft: Draft) -> bool:
    """Remove the canary routes, which have had weight 0 for a drain."""
    present = [r for r in draft.snapshot.routes if r.exists]
    draft.do(*(DeleteRoute(route.ingress) for route in present))
    if present:
        return draft.wait("RemovingRoute", "removing the canary route")
    return True


def candidate_gone(draft: Draft) -> bool:
    """Scale the candidate to zero, wait until its pods have been told to stop, remove it."""
    candidate = draft.snapshot.candidate
    if candidate is None:
        return True
    if candidate.replicas > 0:
        draft.do(ScaleCandidate(0))
        return draft.wait("RemovingCandidate", "scaling the candidate to 0")
    left = max(candidate_alive(draft.snapshot), candidate.current)
    if left > 0 or not candidate.observed:
        return draft.wait("RemovingCandidate", f"{left} candidate pods are left")
    draft.do(DeleteCandidate())
    return draft.wait("RemovingCandidate", "removing the candidate Deployment")


def side_services_gone(draft: Draft) -> bool:
    """Remove the Services that selected the candidate."""
    present = [side for side in draft.snapshot.side_services if side.exists]
    draft.do(*(DeleteSideService(side.service) for side in present))
    return not present


def preview_restored(draft: Draft) -> bool:
    """Give a preview Service its own selector back while the candidate can still answer (I4)."""
    preview = draft.snapshot.preview
    if preview is None:
        return True
    if ours(draft, preview):
        draft.do(RestoreService(preview.name))
        draft.unmark("unpreviewed")
        return draft.wait("RestoringServices", f"giving Service {preview.name} back")
    return drained(draft, "unpreviewed", f"Service {preview.name} has its own selector")


def ours(draft: Draft, service: ServiceView) -> bool:
    """Whether a Service still carries something that we put there."""
    hashes = draft.status.hashes
    pins = {hashes.stable, hashes.candidate, hashes.adopted} - {None}
    foreign = foreign_ready(draft.snapshot, draft.status)
    if foreign is not None:
        pins = pins | {foreign.hash}
    return service.saved is not None or service.latch is not None or service.pinned in pins


def services_restored(draft: Draft) -> bool:
    """Give the Services their own selectors back (I5)."""
    held = [service for service in draft.snapshot.services if ours(draft, service)]
    draft.do(*(RestoreService(service.name) for service in held))
    if held:
        return draft.wait("RestoringServices", "giving the Services their own selectors back")
    return True


def target_restored(draft: Draft) -> bool:
    """Give the target back; an edit that nobody has judged goes on waiting on a paused target."""
    target = draft.snapshot.target
    if target is not None and stays_paused(draft):
        return _own_template(draft, target)
    if target is None or not _held(draft, target):
        return True
    if edit_waits(draft):
        if target.latch is None and target.paused and draft.marked("edit-left") is not None:
            return True
        if not target.paused:
            draft.do(PauseTarget())
        draft.do(RestoreTarget(keep_paused=True))
        draft.mark("edit-left")
        draft.tell(
            "EditWaiting",
            f"Deployment {target.name} was edited meanwhile and stays paused with that edit: "
            "`rollout start` with its version releases it; to drop it: `rollout discard-edit`",
            warning=True,
        )
        return False
    draft.do(RestoreTarget())
    return draft.wait("RestoringTarget", f"giving Deployment {target.name} back")


def stays_paused(draft: Draft) -> bool:
    """Whether the target waits, paused, for a change of its template: trigger Template."""
    rollout = draft.snapshot.rollout
    if rollout is None or rollout.metadata.deletion_timestamp is not None:
        return False
    return rollout.spec.by_template and not _rolls(draft)


def _own_template(draft: Draft, target: DeploymentView) -> bool:
    """Leave the target paused, with the template that its owner has put there."""
    if not target.paused:
        draft.do(PauseTarget())
        return draft.wait("PausingTarget", f"pausing Deployment {target.name}")
    own = _displaced(draft)
    if own is not None and same(target.template, _written(draft)):
        draft.do(ReturnTemplate(own))
        return draft.wait("ReturningTemplate", f"{target.name} waits with its own template")
    if target.latch is not None:
        draft.do(RestoreTarget(keep_paused=True))
        return draft.wait("RestoringTarget", f"Deployment {target.name} stays paused")
    return True


def _displaced(draft: Draft) -> Template | None:
    """Return the owner's template that we have replaced, unless it has been judged by now."""
    own, resolved = draft.status.displaced_edit, draft.status.resolved
    if own is None or resolved is None:
        return None
    judged = draft.status.committed and fingerprint(own) == resolved.target_template_hash
    return None if judged else own


def _written(draft: Draft) -> Template | None:
    """Return the template that this release has written to the target last."""
    resolved = draft.status.resolved
    if resolved is None:
        return None
    return resolved.template if draft.status.committed else resolved.stable_template


def _held(draft: Draft, target: DeploymentView) -> bool:
    """Whether the target still bears something of ours; its own note may have been lost."""
    if target.saved is not None or target.latch is not None:
        return True
    resolved = draft.status.resolved
    if resolved is None or target.uid != resolved.deployment_uid:
        return False
    before = [s.fields for s in draft.status.restore if s.kind == "Deployment"]
    return any(bool(fields.get("spec.paused")) != target.paused for fields in before)


def edit_waits(draft: Draft) -> bool:
    """Whether the target holds a template that no release has judged, and is not in use."""
    return unserved(draft.snapshot, draft.status) and not _rolls(draft)


def _rolls(draft: Draft) -> bool:
    """Whether the target rolls by itself by now, as somebody else wants it to."""
    ending = draft.status.ending
    return ending is not None and ending.reason in {"TargetTakenOver", "TargetNotSettled"}


def taken_over(draft: Draft) -> bool:
    """Whether this release ends because somebody else rolls the target now."""
    return draft.status.ending is not None and draft.status.ending.reason == "TargetTakenOver"


def finalizers_gone(draft: Draft) -> bool:
    """Let the server delete Release and Rollout at will again."""
    snapshot = draft.snapshot
    objects = [(Kind.RELEASE, snapshot.release.metadata)]
    if snapshot.rollout is not None:
        objects.insert(0, (Kind.ROLLOUT, snapshot.rollout.metadata))
    held = [(k, m.name) for k, m in objects if RESTORE_FINALIZER in m.finalizers]
    if keeps_finalizer(snapshot):
        held = [(kind, name) for kind, name in held if kind is not Kind.ROLLOUT]
    draft.do(*(RemoveFinalizer(kind, name) for kind, name in held))
    return not held


def keeps_finalizer(snapshot: Snapshot) -> bool:
    """Whether deletion of the Rollout waits also while nothing runs: its target is paused."""
    rollout = snapshot.rollout
    if rollout is None or snapshot.namespace_terminating:
        return False
    deleted = rollout.metadata.deletion_timestamp is not None
    return rollout.spec.by_template and rollout.status.held is not None and not deleted
