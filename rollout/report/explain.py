"""Why is it here, what does it wait for, what comes next, and when."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from rollout.report.ages import age, length
from rollout.report.unclaimed import UNCLAIMED, is_unclaimed
from rollout.resources.release import MetricVerdict, Phase, Release, ReleaseStatus
from rollout.resources.rollout import Adoption, OnTimeout, Strategy
from rollout.resources.share import serves

BAD: Final = {
    "Reconciled": "False",
    "Safe": "False",
    "EditWaiting": "True",
    "StableReady": "False",
    "BaseFixed": "True",
    "ManagedElsewhere": "True",
}
"""Conditions that are worth a note, and the status in which they are."""

BACK: Final = "`rollout rollback` sends all traffic back"
ANY_WAY: Final = (
    f"`rollout resume` goes on where it stopped, `rollout promote` lets this step pass, {BACK}"
)
WAYS_OUT: Final = {
    "Approval": f"`rollout promote` approves, {BACK}",
    "EditWaiting": "`rollout resume` replaces the edit (status.displacedEdit keeps it), "
    "`rollout rollback` gives up this release",
    "TargetAtZero": f"scale the Deployment up and `rollout resume`; {BACK}",
    "ShareUnreachable": "scale the Deployment up and `rollout resume`, `rollout promote` passes "
    f"this step without traffic, {BACK}",
    "Undecided": f"`rollout promote` goes on without a clear verdict, {BACK}",
    "NoRoom": f"make room for the candidate's full size and `rollout resume`; {BACK}",
    "NoData": f"`rollout resume` waits again, `rollout promote` goes on without metrics, {BACK}",
    "Error": f"`rollout resume` waits again, `rollout promote` goes on without metrics, {BACK}",
}
"""What a person can do, by the reason of the pause."""

SIMPLY: Final = {
    (Phase.PENDING, False): "it begins as soon as nothing stands against it",
    (Phase.PROMOTING, False): "the bake, when the candidate has its full size and all traffic",
    (Phase.ADOPTING, False): "the Services move to the target's new pods when all are ready; until "
    "then `rollout rollback` takes it back",
    (Phase.ADOPTING, True): "the candidate is removed and everything is given back; then it has "
    "succeeded",
}
"""What comes next in phases with one way on, before and after the commit."""

FAST: Final = {
    Phase.PREPARING: "all traffic, as soon as the candidate's pods are ready",
    Phase.PROMOTING: "all traffic, as soon as the candidate has its full size; then the target "
    "takes the template, without a bake",
    Phase.BAKING: "the target takes the template",
}
"""What comes next on the fast path, where that differs."""

REMOVING: Final = frozenset({"RemovingRoute", "RemovingCandidate"})
GIVING_BACK: Final = frozenset(
    {"RestoringServices", "RestoringTarget", "ReturningTemplate", "PausingTarget"}
)
"""How far the way back has come, by the reason of its wait; before these it is about traffic."""

IN_PLACE: Final = (
    "the target rolls while it serves, and is done when all its pods are new; until then "
    "`rollout rollback` has it roll back"
)


def explain(release: Release, strategy: Strategy | None, now: datetime) -> list[str]:
    """Tell a release in sentences, the most important first."""
    status = release.status
    return [
        _where(release, now),
        *([f"Why: {status.message}."] if status.message else []),
        *_verdict(status),
        *([f"Why: {UNCLAIMED}."] if is_unclaimed(release, now) else _next(release, strategy, now)),
        *_conditions(status),
    ]


def _where(release: Release, now: datetime) -> str:
    status = release.status
    what = release.spec.version or "a new template"
    name = release.metadata.name
    if status.phase.ended:
        return f"{name} ({what}) ended {age(status.finished_at, now)} ago: {status.phase}."
    applied = status.weight.applied
    share = f", {applied} % of the traffic on it" if status.started_at else ""
    if serves(status):
        share = ", all traffic is on the new version"
    pods = status.weight.pods
    since = status.since or release.metadata.creation_timestamp or now
    if pods is not None:
        share += f", made by pods: {pods.candidate} of {pods.candidate + pods.stable}"
    return f"{name} ({what}) is {status.phase} for {age(since, now)}{share}."


def _verdict(status: ReleaseStatus) -> Iterator[str]:
    verdict = status.verdict
    if verdict is None:
        return
    said = "" if verdict.message in status.message else f": {verdict.message}"
    yield f"Verdict: {verdict.result}{said}."
    for metric in verdict.metrics:
        yield f"  {metric_line(metric)}"


def metric_line(metric: MetricVerdict) -> str:
    """Say one metric with its numbers."""
    if metric.value is not None:
        return f"{metric.name}: {metric.result}, last value {metric.value:g}"
    sides = [
        f"{name} {side.bad:.0f} of {side.total:.0f}"
        for name, side in (("candidate", metric.candidate), ("stable", metric.stable))
        if side is not None
    ]
    chance = f", chance {metric.p_value:.2g}" if metric.p_value is not None else ""
    before = ", reference: before" if metric.reference == "before" else ""
    return f"{metric.name}: {metric.result}, bad: {', '.join(sides) or 'no counts'}{chance}{before}"


def _next(release: Release, strategy: Strategy | None, now: datetime) -> Iterator[str]:
    status = release.status
    if release.spec.fast and status.phase in FAST:
        yield f"Next: {FAST[status.phase]}."
        return
    match status.phase:
        case Phase.PREPARING:
            late = _in_time(status, strategy, now)
            yield f"Next: the first step, when the candidate is ready{late}."
        case Phase.PROGRESSING:
            yield from _next_step(status, strategy, now)
        case Phase.BAKING:
            bake = strategy.common.bake if strategy else timedelta(0)
            since = status.marks.get("cutover") or status.marks.get("bake", now)
            left = since + bake - now
            yield (
                f"Next: the target takes the template, {_soonest(left)}, after a Pass "
                "(`rollout promote` goes on without one)."
            )
        case Phase.PAUSED:
            yield from _next_of_pause(status, strategy, now)
        case Phase.ROLLING_BACK:
            yield from _next_on_the_way_back(status, strategy, now)
        case Phase.ADOPTING if _in_place(status) and not status.committed:
            yield f"Next: {IN_PLACE}."
        case phase:
            if (phase, status.committed) in SIMPLY:
                yield f"Next: {SIMPLY[phase, status.committed]}."


def _in_place(status: ReleaseStatus) -> bool:
    return status.resolved is not None and status.resolved.adoption is Adoption.IN_PLACE


def _in_time(status: ReleaseStatus, strategy: Strategy | None, now: datetime) -> str:
    if strategy is None or status.progress_since is None:
        return ""
    left = status.progress_since + strategy.common.progress_deadline - now
    return f"; it goes back if that takes longer than {length(max(left, timedelta(0)))} from now"


def _next_of_pause(
    status: ReleaseStatus, strategy: Strategy | None, now: datetime
) -> Iterator[str]:
    where = status.paused_from
    ways = WAYS_OUT.get(where.reason if where else "", ANY_WAY)
    yield f"Next: a person decides: {ways}."
    if where is not None and where.deadline is not None:
        left = length(max(where.deadline - now, timedelta(0)))
        yield f"Without an answer it {_unanswered(status, strategy)} by itself in {left}."


def _unanswered(status: ReleaseStatus, strategy: Strategy | None) -> str:
    """Say what an approval that nobody gives ends in."""
    if strategy is None:
        return "goes on or back, as its strategy says,"
    steps = strategy.canary.steps if strategy.canary else []
    approval = (
        strategy.blue_green.approval
        if strategy.blue_green
        else steps[min(status.step, len(steps) - 1)].approval
    )
    advances = approval is not None and approval.on_timeout is OnTimeout.ADVANCE
    return "goes on" if advances else "rolls back"


def _next_step(status: ReleaseStatus, strategy: Strategy | None, now: datetime) -> Iterator[str]:
    canary = strategy.canary if strategy else None
    if canary is None:
        yield from _next_cutover(strategy)
        return
    since = status.marks.get("weight")
    step = canary.steps[min(status.step, len(canary.steps) - 1)]
    soonest = _soonest(since + step.min_duration - now) if since else "when traffic is on it"
    following = canary.steps[status.step + 1 :]
    last = "the bake at this weight" if _in_place(status) else "all traffic"
    goal = f"{following[0].weight} %" if following else last
    yield f"Next: {goal}, {soonest}, after a Pass."


def _next_cutover(strategy: Strategy | None) -> Iterator[str]:
    blue_green = strategy.blue_green if strategy else None
    asked = blue_green is not None and blue_green.approval is not None
    yield (
        f"Next: {'a person is asked' if asked else 'the cutover'}, when enough requests on stable "
        "are counted to compare with afterwards; `rollout promote` is the cutover now."
    )


def _next_on_the_way_back(
    status: ReleaseStatus, strategy: Strategy | None, now: datetime
) -> Iterator[str]:
    if status.ending is not None:
        yield f"It goes back because: {status.ending.message}."
    end = status.ending.phase if status.ending else Phase.ROLLED_BACK
    if status.reason in GIVING_BACK:
        yield f"Next: {end}, when all that was changed is as it was."
        return
    when = "" if status.reason in REMOVING else f", {_undrained(status, strategy, now)}"
    yield f"Next: the candidate is removed{when}; {end} when all that was changed is as it was."


def _undrained(status: ReleaseStatus, strategy: Strategy | None, now: datetime) -> str:
    """Say when routers have had the time to follow."""
    since = status.marks.get("retreated")
    if since is None or strategy is None:
        return "when no request can reach it"
    return _soonest(since + strategy.common.drain - now)


def _soonest(left: timedelta) -> str:
    return f"in {length(left)} at the soonest" if left > timedelta(0) else "at the next look"


def _conditions(status: ReleaseStatus) -> Iterator[str]:
    for condition in status.conditions:
        if BAD.get(condition.type) == str(condition.status):
            yield f"Note: {condition.message}."
