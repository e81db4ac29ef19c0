"""Why is it here, what does it wait for, what comes next, and when."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from rollout.report.ages import age, length
from rollout.resources.release import MetricVerdict, Phase, Release, ReleaseStatus
from rollout.resources.rollout import Strategy

BAD: Final = {
    "Reconciled": "False",
    "Safe": "False",
    "EditWaiting": "True",
    "StableReady": "False",
}
"""Conditions that are worth a note, and the status in which they are."""


def explain(release: Release, strategy: Strategy | None, now: datetime) -> list[str]:
    """Tell a release in sentences, the most important first."""
    status = release.status
    return [
        _where(release, now),
        *([f"Why: {status.message}."] if status.message else []),
        *_verdict(status),
        *_next(status, strategy, now),
        *_conditions(status),
    ]


def _where(release: Release, now: datetime) -> str:
    status = release.status
    what = release.spec.version or "a new template"
    name = release.metadata.name
    if status.phase.ended:
        return f"{name} ({what}) ended {age(status.finished_at, now)} ago: {status.phase}."
    share = f", {status.weight.applied} % of the traffic on it" if status.started_at else ""
    return f"{name} ({what}) is {status.phase} for {age(status.since, now)}{share}."


def _verdict(status: ReleaseStatus) -> Iterator[str]:
    verdict = status.verdict
    if verdict is None:
        return
    yield f"Verdict: {verdict.result}: {verdict.message}."
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


def _next(status: ReleaseStatus, strategy: Strategy | None, now: datetime) -> Iterator[str]:
    match status.phase:
        case Phase.PROGRESSING:
            yield from _next_step(status, strategy, now)
        case Phase.BAKING:
            bake = strategy.common.bake if strategy else timedelta(0)
            since = status.marks.get("cutover", now)
            yield f"Next: the target takes the template, in {length(since + bake - now)}."
        case Phase.PAUSED:
            yield "Next: a person decides: rollout resume, rollout promote or rollout rollback."
            if status.paused_from and status.paused_from.deadline:
                yield f"By itself in {length(status.paused_from.deadline - now)}."
        case Phase.ROLLING_BACK:
            why = status.ending.message if status.ending else ""
            yield f"It goes back because: {why}."
        case _:
            yield from ()


def _next_step(status: ReleaseStatus, strategy: Strategy | None, now: datetime) -> Iterator[str]:
    canary = strategy.canary if strategy else None
    if canary is None:
        yield "Next: the cutover."
        return
    since = status.marks.get("weight")
    step = canary.steps[min(status.step, len(canary.steps) - 1)]
    left = length(since + step.min_duration - now) if since else "unknown"
    following = canary.steps[status.step + 1 :]
    goal = f"{following[0].weight} %" if following else "all traffic"
    yield f"Next: {goal}, not before {left} from now and not without a Pass."


def _conditions(status: ReleaseStatus) -> Iterator[str]:
    for condition in status.conditions:
        bad = {
            "Reconciled": "False",
            "Safe": "False",
            "EditWaiting": "True",
            "StableReady": "False",
        }
        if bad.get(condition.type) == str(condition.status):
            yield f"Note: {condition.message}."
