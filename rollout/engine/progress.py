"""Progressing: canary steps, and blue-green's wait before the cutover."""

from datetime import datetime

from rollout.analysis.verdict import Verdict
from rollout.engine.draft import Draft, Need
from rollout.engine.facts import (
    by_pods,
    candidate_ready,
    current_step,
    in_place,
    stable_ready,
    step_count,
    step_pods,
    widened,
)
from rollout.engine.gates import approved, passed, pause, unavailable
from rollout.engine.plan import CreateRoute, CreateSideService, Select, SetWeight
from rollout.engine.prepare import in_time
from rollout.engine.rollback import go_back
from rollout.engine.shares import narrowed, share_reached
from rollout.engine.sizes import followed, sized
from rollout.resources.duration import format_duration
from rollout.resources.release import Phase
from rollout.resources.rollout import CanaryStep, OnUndecided

STABLE_READY = "StableReady"
DEFAULT_PATIENCE = 10
"""Without maxDuration a step waits this many times its minDuration for a clear verdict."""


def reached_in_time(draft: Draft) -> bool:
    """Go back when a step's weight could not be reached in its time."""
    return draft.snapshot.strategy.canary is None or in_time(draft)


def routes_intact(draft: Draft) -> bool:
    """Make anew, at weight 0, what somebody has deleted of ours: the share is set again after."""
    if draft.snapshot.strategy.canary is None:
        return True
    routes = [r for r in draft.snapshot.routes if not r.exists]
    sides = [s for s in draft.snapshot.side_services if not s.exists]
    if not routes and not sides:
        draft.unmark("route-gone")
        return True
    if draft.marked("route-gone") is None:
        gone = ", ".join([r.canary for r in routes] + [s.name for s in sides])
        draft.tell("RouteGone", f"{gone} was deleted by somebody: made anew", warning=True)
    draft.mark("route-gone")
    draft.mark("shaky")
    draft.unmark("weight")
    draft.do(*(CreateSideService(s.service, draft.status.hashes.candidate or "") for s in sides))
    draft.do(*(CreateRoute(route.ingress) for route in routes))
    return draft.wait("CreatingRoute", "the canary route is made anew")


def step_reached(draft: Draft) -> bool:
    """Have the pods, then the weight, then read it back (I4, I2)."""
    step = current_step(draft.snapshot, draft.status)
    if step is None:
        return True
    wanted = step_pods(draft.snapshot, draft.status, step)
    if by_pods(draft.snapshot):
        return _share_reached(draft, step.weight, wanted)
    routes = [r for r in draft.snapshot.routes if r.exists]
    behind = [r for r in routes if r.weight != step.weight]
    if not behind:
        followed(draft, wanted)
        _steady(draft, draft.mark("weight"))
        return True
    if draft.marked("weight") is not None:
        draft.mark("shaky")  # it had its weight, and has lost it: time counts from here
        draft.unmark("weight")
    if not sized(draft, wanted):
        return False
    draft.weigh(step.weight)
    draft.do(*(SetWeight(route.ingress, step.weight) for route in behind))
    return draft.wait("SettingWeight", f"setting the candidate's weight to {step.weight} %")


def _share_reached(draft: Draft, weight: int, wanted: int) -> bool:
    """Have the pods make the step's share; stop when the target has become too small for it."""
    if wanted > 0:
        if not share_reached(draft, weight):
            return False
        _steady(draft, draft.mark("weight"))
        return True
    if draft.marked("weight") is not None:
        draft.unmark("weight")
        draft.update(progress_since=draft.now)
    if not narrowed(draft):
        return False
    if passed(draft):
        return True
    replicas = draft.snapshot.target.replicas if draft.snapshot.target else 0
    return pause(
        draft,
        "ShareUnreachable",
        f"{weight} % cannot be made beside {replicas} pods of {draft.snapshot.target_name}: scale "
        "it up and `rollout resume`, or `rollout promote` passes this step without traffic",
    )


def _steady(draft: Draft, since: datetime) -> None:
    """Forget that the candidate flapped, once it has not for as long as its deadline."""
    if draft.now >= since + draft.snapshot.strategy.common.progress_deadline:
        draft.unmark("shaky")


def step_judged(draft: Draft) -> bool:
    """Hold the step for its time, and have the judge agree."""
    step = current_step(draft.snapshot, draft.status)
    if step is None or passed(draft):
        return True
    since = draft.mark("weight")
    verdict = draft.snapshot.verdict
    missing = verdict is not None and verdict.verdict in {Verdict.NO_DATA, Verdict.ERROR}
    if missing and not unavailable(draft):
        return False
    if not draft.expired(since, step.min_duration):
        end = since + step.min_duration
        return draft.wait(
            "Holding", f"holding {step.weight} % for {format_duration(step.min_duration)}", end
        )
    if missing or (verdict is not None and verdict.verdict is Verdict.PASS):
        return True
    return _undecided(draft, step)


def _undecided(draft: Draft, step: CanaryStep) -> bool:
    patience = step.max_duration or step.min_duration * DEFAULT_PATIENCE
    verdict = draft.snapshot.verdict
    said = verdict.message if verdict is not None else "no verdict yet"
    since = draft.mark("weight")
    if not draft.expired(since, patience):
        return draft.wait("Undecided", f"{step.weight} % is not decided: {said}", since + patience)
    match step.on_undecided:
        case OnUndecided.ADVANCE:
            draft.tell("AdvancedUndecided", said)
            return True
        case OnUndecided.ROLLBACK:
            return go_back(draft, Phase.ROLLED_BACK, "Undecided", said)
        case OnUndecided.HOLD:
            return pause(
                draft,
                "Undecided",
                f"{step.weight} % stayed undecided ({said}): `rollout promote` or "
                "`rollout rollback`",
            )


def step_approved(draft: Draft) -> bool:
    """Wait for a person after the step, where it says so."""
    step = current_step(draft.snapshot, draft.status)
    return approved(draft, step.approval if step else None, f"step {draft.status.step + 1}")


def preview_approved(draft: Draft) -> bool:
    """Blue-green: wait for the reference that the bake needs, then for a person."""
    blue_green = draft.snapshot.strategy.blue_green
    if blue_green is None or passed(draft):
        return True
    verdict = draft.snapshot.verdict
    if verdict is None or verdict.verdict is not Verdict.PASS:
        missing = verdict is None or verdict.verdict in {Verdict.NO_DATA, Verdict.ERROR}
        if not missing:
            said = verdict.message if verdict is not None else ""
            return draft.wait("CollectingReference", f"stable's reference is collected: {said}")
        if not unavailable(draft):
            return False
    return approved(draft, blue_green.approval, "the cutover")


def step_over(draft: Draft) -> bool:
    """Go on to the next step, or to all traffic."""
    following = draft.status.step + 1
    count = step_count(draft.snapshot)
    if following == count and in_place(draft.snapshot):
        bake_at_last_weight(draft, "the last step has passed")
        return True
    draft.unmark("weight", "resumed", "shaky")
    if following < count:
        step = draft.snapshot.strategy.canary
        weight = step.steps[following].weight if step else 0
        draft.enter(
            Phase.PROGRESSING,
            "StepEntered",
            f"step {following + 1} of {count}: {weight} %",
            step=following,
            progress_since=draft.now,
        )
        return True
    draft.enter(
        Phase.PROMOTING,
        "Promoting",
        "the candidate takes all traffic",
        progress_since=draft.now,
    )
    return True


def bake_at_last_weight(draft: Draft, why: str) -> None:
    """In place there is no cutover: the bake is at the weight that the release has reached."""
    bake = format_duration(draft.snapshot.strategy.common.bake)
    draft.unmark("bake")
    draft.enter(
        Phase.BAKING,
        "Baking",
        f"{why}: the candidate keeps its share for {bake}, then the target takes the template "
        "while it serves",
        progress_since=draft.now,
    )


def stable_there(draft: Draft) -> bool:
    """Change no share while stable has no ready pod and the candidate has (I1)."""
    snapshot, status = draft.snapshot, draft.status
    shared = [r for r in snapshot.routes if r.exists and r.weight > 0] or (
        [] if draft.phase is Phase.PAUSED else widened(snapshot)
    )
    alone = stable_ready(snapshot, status) == 0 and candidate_ready(snapshot, status) > 0
    if draft.marked("cutover") is not None or not (shared and alone):
        if any(c.type == STABLE_READY for c in status.conditions):
            draft.drop_condition(STABLE_READY)
        return True
    sentence = "no pod of the stable version is ready: nothing is changed until one is"
    if not any(c.type == STABLE_READY for c in status.conditions):
        draft.tell("StableNotReady", sentence, warning=True)
    draft.condition(STABLE_READY, holds=False, reason="NoReadyPods", message=sentence)
    return draft.wait("WaitingForStable", sentence)


def candidate_shaky(draft: Draft) -> bool:
    """Take traffic away from a candidate with no ready pod (I1). True: nothing to fear."""
    snapshot, status = draft.snapshot, draft.status
    routes = [r for r in snapshot.routes if r.exists and r.weight > 0]
    wide = widened(snapshot) if draft.marked("shared") and stable_ready(snapshot, status) else ()
    if not (routes or wide) or candidate_ready(snapshot, status) > 0:
        return True
    if draft.marked("shaky") is None:
        draft.tell(
            "CandidateNotReady",
            "no candidate pod is ready: its traffic goes to the stable version meanwhile",
            warning=True,
        )
    draft.mark("shaky")
    draft.unmark("weight")
    draft.weigh(0)
    draft.do(*(SetWeight(route.ingress, 0) for route in routes))
    draft.do(*(Select(service.name, status.hashes.stable or "") for service in wide))
    return False


def shaky_too_long(draft: Draft) -> bool:
    """Go back when the candidate flaps for longer than its deadline. True: it does not."""
    since = draft.marked("shaky")
    if since is None or candidate_ready(draft.snapshot, draft.status) > 0:
        return True
    allowed = draft.snapshot.strategy.common.progress_deadline
    if not draft.expired(since, allowed):
        return True
    return go_back(
        draft,
        Phase.ROLLED_BACK,
        "ProgressDeadlineExceeded",
        "the candidate kept losing its ready pods",
    )


NEEDS: tuple[Need, ...] = (
    reached_in_time,
    routes_intact,
    step_reached,
    step_judged,
    step_approved,
    preview_approved,
    step_over,
)
