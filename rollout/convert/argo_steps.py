"""Steps of a canary of Argo Rollouts: many small ones become few with weight, time and gate."""

from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil
from typing import Any, Final

from rollout.convert.argo_analysis import Analysis
from rollout.convert.ledger import Fate, Source
from rollout.convert.times import WITHOUT_END, duration
from rollout.convert.weights import MOST_STEPS, WHOLE
from rollout.resources.duration import format_duration

NONE: Final = timedelta(0)
PATIENCE: Final = timedelta(minutes=10)
FOR_EVER: Final = "It waited for a person for ever; here a year is the longest, then it rolls back."
ADVANCES: Final = (
    "Argo Rollouts went on when the time was over, unless an analysis had failed. So does "
    "onUndecided: Advance; Hold would ask a person."
)
FILTERED: Final = "requests are told apart by weight alone: test the candidate's own Service"
PLUGIN: Final = "there are no plugins: run it in the pipeline, and gate the step by an approval"
EXPERIMENT: Final = (
    "there are no experiments: the candidate is compared with stable at each weight; what else "
    "it did is another Deployment and Service"
)
UNWEIGHTED: Final = (
    "before the first weight nothing is held: `trigger: Command` leaves the start to a person"
)
BEFORE: Final = "before the first weight there is nothing to count: it judges from there on"


@dataclass
class Step:
    """One of our steps in the making."""

    weight: int
    held: timedelta = NONE
    gated: bool = False
    scale: str = ""
    notes: list[tuple[str, str]] = field(default_factory=list)
    """Field and comment."""


@dataclass
class Walk:
    """What is known while the steps are walked through, in their order."""

    analysis: Analysis
    largest: int = WHOLE
    """The weight that means all requests (`maxTrafficWeight`)."""
    steps: list[Step] = field(default_factory=list)
    scale: str = ""
    whole: bool = False
    """Whether all requests have been moved."""
    bake: timedelta = NONE
    judged: bool = False

    def take(self, source: Source) -> None:
        """Take one step of Argo Rollouts."""
        if source.has("setWeight"):
            self._weight(source)
        if source.has("pause"):
            self._pause(source)
        if source.has("setCanaryScale"):
            self._scale(source)
        if source.has("analysis"):
            self._analysis(source)
        source.none_equal(
            {
                "experiment": EXPERIMENT,
                "setHeaderRoute": FILTERED,
                "setMirrorRoute": "requests are not mirrored: replay them in the pipeline",
                "plugin": PLUGIN,
            }
        )

    def _weight(self, source: Source) -> None:
        given = source.number("setWeight") or 0
        weight = given * WHOLE // self.largest
        before = self.steps[-1].weight if self.steps else 0
        if weight >= WHOLE:
            self.whole = True
            source.take("setWeight", "the cutover")
        elif self.whole or weight < before:
            source.no_equal("setWeight", "weights only rise: the step before keeps its own")
        elif weight == before:
            source.take("setWeight", "the step before, which has this weight")
        elif len(self.steps) == MOST_STEPS:
            source.no_equal("setWeight", f"a canary has at most {MOST_STEPS} steps: leave some out")
        else:
            source.take("setWeight", f"weight of step {len(self.steps) + 1}")
            self.steps.append(Step(weight, scale=self.scale))
            if weight * self.largest != given * WHOLE:
                self.steps[-1].notes.append(("weight", f"{given} of {self.largest}, rounded."))

    def _pause(self, source: Source) -> None:
        pause = source.part("pause")
        held = duration(pause, "duration")
        endless = held is None or not held
        if self.whole and not endless:
            self.bake += held or NONE
            pause.take("duration", "bake")
        elif self.whole:
            self._gate_last(source)
        elif not self.steps:
            source.no_equal("pause", UNWEIGHTED)
        elif endless:
            self.steps[-1].gated = True
            what = f"approval of step {len(self.steps)}"
            source.known("pause", ("duration",), Fate.CONVERTED, what)
        else:
            self.steps[-1].held += held or NONE
            pause.take("duration", f"minDuration of step {len(self.steps)}")

    def _gate_last(self, source: Source) -> None:
        """A person was waited for under all requests: nearest is to ask before the cutover."""
        if self.steps:
            self.steps[-1].gated = True
            what = "the approval is asked before the cutover, not after it; the bake watches then"
            source.known("pause", ("duration",), Fate.ASSUMED, what)
        else:
            source.no_equal("pause", "nobody is asked after the cutover: `rollout pause`")

    def _scale(self, source: Source) -> None:
        scale = source.part("setCanaryScale")
        if (replicas := scale.number("replicas")) is not None:
            self.scale = str(replicas) if replicas else ""
            scale.take("replicas", "replicas of the steps that follow")
        elif (weight := scale.number("weight")) is not None:
            self.scale = f"{weight}%" if weight else ""
            scale.take("weight", "replicas of the steps that follow")
        else:
            self.scale = ""
        scale.take("matchTrafficWeight", "replicas left out of the steps that follow")
        if not scale.value:
            source.take("setCanaryScale")
        if self.steps and not self.steps[-1].held and not self.steps[-1].gated:
            self.steps[-1].scale = self.scale

    def _analysis(self, source: Source) -> None:
        self.judged = True
        early = not self.whole and not self.steps
        what = BEFORE if early else "the policy, which judges every step"
        time = self.analysis.run(source.part("analysis"), what, near=early)
        if self.whole:
            self.bake = max(self.bake, time)
        elif self.steps:
            self.steps[-1].held = max(self.steps[-1].held, time)


def bodies(walk: Walk, floor: int, replicas: int | None) -> list[dict[str, Any]]:
    """Word the steps; `floor` is the least number of candidate pods."""
    return [_body(step, floor, replicas, judged=walk.judged) for step in walk.steps]


def _body(step: Step, floor: int, replicas: int | None, *, judged: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"weight": step.weight, "minDuration": format_duration(step.held)}
    if not step.held:
        body["maxDuration"] = format_duration(PATIENCE)
    elif not judged:
        body["maxDuration"] = body["minDuration"]
    body["onUndecided"] = "Advance"
    if step.gated:
        body["approval"] = {"timeout": WITHOUT_END, "onTimeout": "Rollback"}
        step.notes.append(("approval", FOR_EVER))
    if step.scale:
        body["replicas"] = step.scale
    elif replicas and ceil(replicas * step.weight / WHOLE) < floor:
        body["replicas"] = str(min(floor, replicas))
    return body
