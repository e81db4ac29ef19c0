"""`plan(snapshot, now)`: the one place where it is decided what happens next."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from rollout.analysis.verdict import Verdict
from rollout.engine import adopt, giving_back, prepare, progress, promote, rollback, rolling
from rollout.engine.contests import candidate_fit, report_edit, undisputed
from rollout.engine.draft import Draft, Need, met
from rollout.engine.facts import (
    applied_weight,
    candidate_ready,
    holds_step,
    in_place,
    share_pods,
    step_count,
)
from rollout.engine.gates import paused
from rollout.engine.invariants import violations
from rollout.engine.people import take_action
from rollout.engine.plan import Event, Plan
from rollout.engine.rollback import go_back
from rollout.engine.snapshot import Snapshot
from rollout.engine.supersede import up_to_date
from rollout.engine.verdicts import note_verdict
from rollout.resources.conditions import with_condition, without_condition
from rollout.resources.release import Phase
from rollout.resources.share import share

NEEDS: Final[dict[Phase, tuple[Need, ...]]] = {
    Phase.PENDING: (prepare.pending,),
    Phase.PREPARING: prepare.NEEDS,
    Phase.PROGRESSING: progress.NEEDS,
    Phase.PAUSED: (paused,),
    Phase.PROMOTING: promote.PROMOTING,
    Phase.BAKING: promote.BAKING,
    Phase.ADOPTING: adopt.NEEDS,
    Phase.ROLLING_BACK: rollback.NEEDS,
}
IN_PLACE: Final[dict[Phase, tuple[Need, ...]]] = NEEDS | {
    Phase.BAKING: rolling.BAKING,
    Phase.ADOPTING: rolling.ADOPTING,
}
"""What differs where the target rolls while it serves; no phase of it is Promoting."""
JUDGES: Final[dict[Phase, Need]] = {
    Phase.PROGRESSING: progress.step_judged,
    Phase.BAKING: promote.baked,
}
JUDGED: Final = frozenset({Phase.PROGRESSING, Phase.PROMOTING, Phase.BAKING, Phase.PAUSED})


def plan(snapshot: Snapshot, now: datetime) -> Plan:
    """Decide what comes next for a release. The same arguments give the same plan."""
    draft = _decide(snapshot, now)
    latched = _latched(snapshot) and not draft.status.phase.ended
    if latched and draft.phase is not Phase.ROLLING_BACK:
        draft = _judged_again(snapshot, now) or _carried_on_back(snapshot, now)
    return guarded(snapshot, draft, now)


def _begun(snapshot: Snapshot, now: datetime) -> Draft:
    draft = Draft(snapshot, now)
    _read_back(draft)
    return draft


def _decide(snapshot: Snapshot, now: datetime) -> Draft:
    draft = _begun(snapshot, now)
    if not draft.phase.ended and _goes_on(draft):
        _walk(draft)
    return draft


def _read_back(draft: Draft) -> None:
    """Note what the cluster shows."""
    applied = applied_weight(draft.snapshot, draft.status)
    pods = share_pods(draft.snapshot, draft.status)
    weight = draft.status.weight.model_copy(update={"applied": applied, "pods": pods})
    if draft.status.weight.pods != pods and pods is not None:
        draft.unmark("pods")
        draft.mark("pods")
    draft.update(weight=weight, share=share(draft.phase, applied))
    generation = draft.snapshot.release.metadata.generation
    steps = f"{draft.status.step + 1}/{step_count(draft.snapshot)}"
    progress_ = "fast" if draft.snapshot.fast else steps
    strategy = draft.snapshot.strategy.name
    draft.update(observed_generation=generation, progress=progress_, strategy=strategy)
    note_verdict(draft)


def _goes_on(draft: Draft) -> bool:
    """Answer what comes before any progress. False: a turn was made; it is carried out first."""
    if draft.snapshot.namespace_terminating:
        return _let_go(draft)
    if draft.phase is Phase.ROLLING_BACK:
        return True
    if not _wanted(draft):
        return False
    before = draft.phase
    take_action(draft)
    if draft.phase is not before and draft.phase in {Phase.ROLLING_BACK, Phase.CANCELLED}:
        return False
    if draft.phase is Phase.PENDING:
        return True  # what has traffic now is another release's
    report_edit(draft)
    return (
        undisputed(draft)
        and candidate_fit(draft)
        and _not_failed(draft)
        and up_to_date(draft)
        and progress.candidate_shaky(draft)
        and progress.stable_there(draft)
    )


def _let_go(draft: Draft) -> bool:
    """The namespace goes with all that is in it: nothing is restored, nothing may be held up."""
    if giving_back.finalizers_gone(draft):
        draft.update(
            phase=Phase.CANCELLED,
            reason="NamespaceTerminating",
            message="the namespace is being deleted",
            finished_at=draft.now,
        )
    return False


def _latched(snapshot: Snapshot) -> bool:
    """A latch with this release's uid means that it goes back, whatever status says."""
    status, uid = snapshot.release.status, snapshot.release.metadata.uid
    objects = [snapshot.target, snapshot.candidate, *snapshot.every_service, *snapshot.routes]
    return not status.committed and any(o is not None and o.latch == uid for o in objects)


def _judged_again(snapshot: Snapshot, now: datetime) -> Draft | None:
    """Find the reason anew where the judge, or what it could not see, was why it goes back.

    The share is gone by now, so that the way to the judge's word is barred at the first need.
    """
    draft = _begun(snapshot, now)
    judged = JUDGES.get(draft.phase)
    if judged is None or _has_failed(draft) or not up_to_date(draft):
        return None
    judged(draft)
    return draft if draft.phase is Phase.ROLLING_BACK else None


def _has_failed(draft: Draft) -> bool:
    verdict = draft.status.verdict
    return verdict is not None and verdict.result == Verdict.FAIL


def _carried_on_back(snapshot: Snapshot, now: datetime) -> Draft:
    """Go back as was begun, when what was the reason can no longer be seen."""
    draft = _begun(snapshot, now)
    verdict = draft.status.verdict
    if verdict is not None and verdict.result == Verdict.FAIL:
        go_back(draft, Phase.ROLLED_BACK, "VerdictFail", verdict.message)
    elif not up_to_date(draft):
        pass  # it goes back, and has said why
    elif draft.marked("cutover") and candidate_ready(draft.snapshot, draft.status) == 0:
        go_back(draft, Phase.ROLLED_BACK, "CandidateNotReady", "no candidate pod was ready")
    else:
        go_back(draft, Phase.ROLLED_BACK, "RollbackBegun", "a rollback had begun and is carried on")
    return draft


def _wanted(draft: Draft) -> bool:
    """A release that somebody deletes goes back first."""
    snapshot = draft.snapshot
    metas = [snapshot.release.metadata]
    if snapshot.rollout is not None:
        metas.append(snapshot.rollout.metadata)
    deleted = any(meta.deletion_timestamp is not None for meta in metas)
    gone = snapshot.rollout is None and draft.phase is not Phase.PENDING
    if draft.status.committed or not (deleted or gone):
        return True
    if draft.phase is Phase.PENDING:
        draft.enter(Phase.CANCELLED, "Deleted", "deleted before it began", finished_at=draft.now)
        return False
    what = "Release" if snapshot.release.metadata.deletion_timestamp else "Rollout"
    return go_back(draft, Phase.CANCELLED, "Deleted", f"the {what} was deleted")


def _not_failed(draft: Draft) -> bool:
    """A Fail takes the release back, also while it is paused; the fast path has no judge."""
    verdict = draft.snapshot.verdict
    if (
        draft.snapshot.fast
        or verdict is None
        or verdict.verdict is not Verdict.FAIL
        or draft.phase not in JUDGED
    ):
        return True
    return go_back(draft, Phase.ROLLED_BACK, "VerdictFail", verdict.message)


def _walk(draft: Draft) -> None:
    """Go through the needs of the phase, and on into the next when they are all met."""
    needs = IN_PLACE if in_place(draft.snapshot) else NEEDS
    for _ in Phase:
        before = (draft.phase, draft.status.step)
        if draft.phase.ended or not met(draft, needs[draft.phase]):
            break
        if (draft.phase, draft.status.step) == before:
            break
    if draft.phase is not Phase.PAUSED and holds_step(draft.snapshot, draft.status):
        progress.shaky_too_long(draft)


def guarded(snapshot: Snapshot, draft: Draft, now: datetime) -> Plan:
    """Seal the plan; one that would break a rule becomes a hold with a condition."""
    sealed = draft.plan()
    broken = next(violations(snapshot, sealed.actions, sealed.status), None)
    if broken is None:
        kept = without_condition(sealed.status.conditions, "Safe")
        return replace(sealed, status=sealed.status.model_copy(update={"conditions": kept}))
    before = snapshot.release.status
    conditions = with_condition(
        before.conditions, "Safe", holds=False, reason="RuleWouldBreak", message=broken, now=now
    )
    status = before.model_copy(update={"conditions": conditions, "message": broken})
    return replace(
        sealed,
        actions=(),
        status=status,
        events=(Event("RuleWouldBreak", broken, warning=True),),
    )
