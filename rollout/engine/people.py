"""What people ask: an action is taken up once, at once, and its outcome is written down."""

from rollout.engine.admission import Admission, admit
from rollout.engine.draft import Draft
from rollout.engine.facts import in_place
from rollout.engine.gates import pause, resume
from rollout.engine.progress import bake_at_last_weight
from rollout.engine.rejecting import rejection
from rollout.engine.rollback import go_back
from rollout.resources.action import Action, ActionTaken, ActionType
from rollout.resources.release import ACTIONS_LIMIT, Phase


def take_action(draft: Draft) -> None:
    """Take up the action in the spec, unless it was taken up before."""
    action = draft.snapshot.release.spec.action
    if action is None or any(taken.id == action.id for taken in draft.status.actions):
        return
    admission = admit(action, draft.status)
    _remember(draft, action, admission)
    if not admission.accepted:
        draft.tell("ActionRefused", f"{action.type.words}: {admission.message}", warning=True)
        return
    if draft.phase is not Phase.ROLLING_BACK:
        _HANDS[action.type](draft, _said(action))


def _remember(draft: Draft, action: Action, admission: Admission) -> None:
    taken = ActionTaken(
        id=action.id,
        type=action.type,
        by=action.by,
        reason=action.reason,
        at=draft.now,
        accepted=admission.accepted,
        message=admission.message,
    )
    draft.update(actions=[*draft.status.actions, taken][-ACTIONS_LIMIT:])


def _said(action: Action) -> str:
    who = f" by {action.by}" if action.by else ""
    why = f": {action.reason}" if action.reason else ""
    return f"{action.type.words}{who}{why}"


def _rollback(draft: Draft, said: str) -> None:
    if draft.phase is Phase.PENDING:
        draft.do(*rejection(draft))
        draft.enter(Phase.CANCELLED, "CancelledByPerson", said, finished_at=draft.now)
        return
    go_back(draft, Phase.ROLLED_BACK, "RolledBackByPerson", said)


def _pause(draft: Draft, said: str) -> None:
    where = draft.status.paused_from
    if draft.phase is not Phase.PAUSED:
        pause(draft, "PausedByPerson", said)
    elif where is not None and where.deadline is not None:
        held = where.model_copy(update={"deadline": None, "reason": "PausedByPerson"})
        draft.update(paused_from=held, reason="PausedByPerson", message=said)
        draft.tell("PausedByPerson", f"{said}: the approval no longer ends by itself")


def _resume(draft: Draft, said: str) -> None:
    where = draft.status.paused_from
    if where is not None and where.reason == "EditWaiting":
        draft.mark("displaced")
    resume(draft, said)


def _promote(draft: Draft, said: str) -> None:
    if draft.phase is Phase.PAUSED:
        resume(draft, said, passed=True)
        return
    draft.tell("Promoted", said)
    draft.mark(_gate(draft))


def _promote_full(draft: Draft, said: str) -> None:
    _promote(draft, said)
    if draft.phase is Phase.PROGRESSING and in_place(draft.snapshot):
        bake_at_last_weight(draft, said)
    elif draft.phase is Phase.PROGRESSING:
        draft.unmark("weight", "resumed")
        draft.enter(Phase.PROMOTING, "Promoting", said, progress_since=draft.now)


def _gate(draft: Draft) -> str:
    if draft.phase is Phase.PROGRESSING:
        return f"passed-{draft.status.step}"
    return f"passed-{draft.phase.value}"


_HANDS = {
    ActionType.ROLLBACK: _rollback,
    ActionType.PAUSE: _pause,
    ActionType.RESUME: _resume,
    ActionType.PROMOTE: _promote,
    ActionType.PROMOTE_FULL: _promote_full,
}
