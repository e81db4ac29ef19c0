"""Which question the judge is asked, from where a release is; pure."""

from datetime import datetime

from rollout.analysis.evidence import Reference, Stage
from rollout.analysis.look import Look
from rollout.analysis.spending import planned_looks
from rollout.resources.release import Phase, ReleaseStatus


def stage_of(status: ReleaseStatus) -> Stage | None:
    """Return the stage whose blocks are counted now; None when nothing is judged."""
    if status.resolved is None:
        return None
    where = status.paused_from.phase if status.paused_from else status.phase
    marks, warmup = status.marks, status.resolved.policy.warmup
    if "cutover" in marks and where in {Phase.PROMOTING, Phase.BAKING}:
        return Stage(100, _from(status, marks["cutover"]) + warmup, Reference.BEFORE)
    if where is not Phase.PROGRESSING or status.since is None:
        return None
    if status.resolved.strategy.canary is None:
        return Stage(0, _from(status, status.since))
    if "weight" not in marks:
        return Stage(0, status.since)
    return Stage(status.weight.applied, _from(status, marks["weight"]) + warmup)


def _from(status: ReleaseStatus, moment: datetime) -> datetime:
    """A resumed release waits for data anew."""
    return max(moment, status.marks.get("resumed", moment))


def look_at(stage: Stage, status: ReleaseStatus) -> Look:
    """Return the question for a stage."""
    if status.resolved is None:
        raise ValueError("a release that is judged has been resolved")
    strategy = status.resolved.strategy
    steps = strategy.canary.steps if strategy.canary else []
    durations = [*(step.min_duration for step in steps), strategy.common.bake]
    return Look(stage, planned_looks(durations, status.resolved.policy.interval))
