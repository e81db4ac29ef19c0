"""From a release's status to what is judged now: pure, so that it can be told after a restart."""

from datetime import UTC, datetime, timedelta
from typing import Final

from rollout.analysis.evidence import Reference, Stage
from rollout.analysis.look import Look
from rollout.analysis.spending import planned_looks
from rollout.engine.portions import share_of
from rollout.resources.release import Phase, Release, ReleaseStatus

NOWHERE: Final = Stage(weight=0, since=datetime.max.replace(tzinfo=UTC))
"""A stage that never begins: readings are starting points of blocks to come, nothing is counted."""

ALL: Final = 100

FOLLOWED: Final = frozenset(
    {Phase.PREPARING, Phase.PROGRESSING, Phase.PAUSED, Phase.PROMOTING, Phase.BAKING}
)
"""Phases in which metrics are read. Preparing too: its readings are starting points."""


def is_followed(release: Release) -> bool:
    """Whether metrics of a release are read now."""
    followed = release.status.phase in FOLLOWED and not release.spec.fast
    return release.status.resolved is not None and followed


def stage_of(release: Release) -> Stage | None:
    """Say under which conditions requests are counted now; None when nothing is judged."""
    status = release.status
    where = status.paused_from.phase if status.paused_from else status.phase
    if status.resolved is None or not is_followed(release):
        return None
    warmup = status.resolved.policy.warmup
    cutover = status.marks.get("cutover")
    if cutover is not None and where in {Phase.PROMOTING, Phase.BAKING}:
        return Stage(ALL, _since(status, cutover + warmup), Reference.BEFORE)
    if where is Phase.PREPARING and status.started_at is not None:
        return Stage(0, status.started_at)
    if where is Phase.PROGRESSING or where is Phase.BAKING:  # in place the bake is at a weight
        return _progressing(status, warmup)
    if where is Phase.PROMOTING and status.weight.applied < ALL and status.since is not None:
        return Stage(status.weight.applied, _since(status, status.since))
    return None


def _progressing(status: ReleaseStatus, warmup: timedelta) -> Stage | None:
    reached = status.marks.get("weight")
    if status.resolved is not None and status.resolved.strategy.blue_green is not None:
        return Stage(0, _since(status, status.since)) if status.since is not None else None
    if reached is None or status.weight.applied == 0:
        return None
    return Stage(status.weight.applied, _since(status, reached + warmup, warmup))


def _since(status: ReleaseStatus, begun: datetime, warmup: timedelta = timedelta(0)) -> datetime:
    """A resumed release waits for data anew, with its bound counted from then.

    Where pods make the share, another number of ready ones is another share: counted anew too.
    """
    moments = [begun, status.marks.get("resumed", begun)]
    if status.weight.pods is not None and "pods" in status.marks:
        moments.append(status.marks["pods"] + warmup)
    return max(moments)


def look_at(release: Release, stage: Stage, listening: datetime | None = None) -> Look:
    """Say what the judge is asked, with the looks that the release's plan has room for.

    `listening` is since when its metrics have been read by this process.
    """
    resolved, pods = release.status.resolved, release.status.weight.pods
    if resolved is None:
        return Look(stage, planned=1, listening=listening)
    share = share_of(pods.candidate, pods.stable) if pods is not None else None
    canary = resolved.strategy.canary
    held = [step.min_duration for step in canary.steps] if canary else []
    durations = [*held, resolved.strategy.common.bake]
    planned = planned_looks(durations, resolved.policy.interval)
    return Look(stage, planned, share=share, listening=listening)
