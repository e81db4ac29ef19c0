"""Pauses: why a release stands still, how long, and how it goes on with its held time intact."""

from datetime import datetime, timedelta

from rollout.engine.admission import APPROVAL
from rollout.engine.draft import Draft
from rollout.engine.facts import bake_clock, by_pods, current_step, holds_step
from rollout.engine.rollback import go_back
from rollout.engine.shares import share_kept
from rollout.engine.sizes import load_followed
from rollout.resources.policy import Then
from rollout.resources.release import PausedFrom, Phase
from rollout.resources.rollout import Approval, OnTimeout


def clock(draft: Draft, phase: Phase) -> str:
    """Return the mark from which a phase counts the time that it holds; empty when it does not."""
    if phase is Phase.BAKING:
        return bake_clock(draft.snapshot)
    return "weight" if phase is Phase.PROGRESSING else ""


def pause(draft: Draft, reason: str, message: str, deadline: datetime | None = None) -> bool:
    """Stand still here until somebody, or the deadline, decides. Returns False."""
    since = draft.marked(clock(draft, draft.phase))
    held = draft.now - since if since is not None else timedelta(0)
    paused_from = PausedFrom(
        phase=draft.phase, step=draft.status.step, reason=reason, held=held, deadline=deadline
    )
    draft.enter(Phase.PAUSED, reason, message, paused_from=paused_from)
    return False


def paused_for(draft: Draft, reason: str, message: str) -> bool:
    """Give a release that stands still another reason, once. Returns False when that was news."""
    where = draft.status.paused_from
    if where is None or where.reason == reason:
        return True
    changed = where.model_copy(update={"reason": reason, "deadline": None})
    draft.update(paused_from=changed, reason=reason, message=message)
    draft.tell(reason, message, warning=True)
    return False


def resume(draft: Draft, message: str, *, passed: bool = False) -> None:
    """Go on where the release stopped. `passed`: the gate or step counts as passed."""
    where = draft.status.paused_from
    if where is None:
        return
    since = clock(draft, where.phase)
    marks = dict(draft.status.marks)
    if since in marks:
        marks[since] = draft.now - where.held
    marks["resumed"] = draft.now
    if passed:
        marks[gate_name(draft)] = draft.now
    draft.enter(
        where.phase,
        "Resumed",
        message,
        paused_from=None,
        step=where.step,
        marks=marks,
        progress_since=draft.now,
    )


def gate_name(draft: Draft) -> str:
    """Name of the mark that says that a step, or the bake, was passed by a person."""
    where = draft.status.paused_from
    phase = where.phase if where else draft.phase
    if phase is Phase.PROGRESSING:
        return f"passed-{where.step if where else draft.status.step}"
    return f"passed-{phase.value}"


def passed(draft: Draft) -> bool:
    """Whether a person has let this step, or the bake, pass."""
    return draft.marked(gate_name(draft)) is not None


def approved(draft: Draft, approval: Approval | None, what: str) -> bool:
    """Wait for a person where the strategy says so."""
    if approval is None or passed(draft):
        return True
    deadline = draft.now + approval.timeout
    outcome = "goes on" if approval.on_timeout is OnTimeout.ADVANCE else "rolls back"
    return pause(
        draft,
        APPROVAL,
        f"{what} waits for approval (`rollout promote`); without one it {outcome} by itself",
        deadline,
    )


def unavailable(draft: Draft) -> bool:
    """Hold while metrics are missing, then do what the policy chose. True: go on without them."""
    verdict = draft.snapshot.verdict
    if verdict is None:
        return draft.wait("WaitingForMetrics", "the first reading of metrics is awaited")
    if verdict.overdue is None:
        return draft.wait(str(verdict.reason), verdict.message, verdict.deadline)
    match verdict.overdue:
        case Then.ADVANCE:
            draft.tell("AdvancedWithoutData", verdict.message, warning=True)
            return True
        case Then.ROLLBACK:
            return go_back(draft, Phase.ROLLED_BACK, str(verdict.reason), verdict.message)
        case Then.PAUSE:
            return pause(
                draft,
                str(verdict.verdict),
                f"{verdict.message}: `rollout resume` waits again, `rollout promote` goes on "
                "without, `rollout rollback` goes back",
            )


def paused(draft: Draft) -> bool:
    """Stand still; an approval that nobody gave ends as the strategy says."""
    where = draft.status.paused_from
    if where is not None and not draft.status.committed:
        _followed(draft, where.phase)
    if where is None or where.deadline is None:
        return False
    if draft.now < where.deadline:
        draft.look_at(where.deadline)
        return False
    if _approval(draft).on_timeout is OnTimeout.ADVANCE:
        resume(draft, "nobody answered in time: it goes on, as the strategy says", passed=True)
        return True
    return go_back(
        draft, Phase.ROLLED_BACK, "ApprovalTimedOut", "nobody approved the release in time"
    )


def _followed(draft: Draft, phase: Phase) -> None:
    if by_pods(draft.snapshot) and holds_step(draft.snapshot, draft.status):
        share_kept(draft)
    else:
        load_followed(draft, phase)


def _approval(draft: Draft) -> Approval:
    strategy = draft.snapshot.strategy
    if strategy.blue_green is not None:
        return strategy.blue_green.approval or Approval()
    step = current_step(draft.snapshot, draft.status)
    return (step.approval if step else None) or Approval()
