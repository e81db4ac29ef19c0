"""The analysis of a Canary: weights, times and gates."""

from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil
from typing import Any, Final

from rollout.convert.ledger import Fate, Path, Source
from rollout.convert.times import WITHOUT_END, duration
from rollout.convert.weights import MOST_STEPS, WHOLE
from rollout.resources.duration import format_duration

INTERVAL: Final = timedelta(minutes=1)
FLOOR: Final = timedelta(seconds=10)
WITHOUT_MESH: Final = 10
"""Iterations that Flagger takes where nothing routes requests."""
FOR_EVER: Final = (
    "The webhook was asked without end; here a person is, for a year at most, or a program calls "
    "`rollout promote`."
)
BY_HEADER: Final = (
    "an A/B test by header or cookie has no equal: the default canary is written, with 5, 20 and "
    "50 % of all requests; approve its steps, or test the candidate's own Service"
)
ADVANCES: Final = "Flagger went on at the next interval, if no check had failed."
GATES: Final = ("confirm-rollout", "confirm-promotion", "confirm-traffic-increase")
WEBHOOKS: Final = {
    "pre-rollout": "run the check in the pipeline, against the candidate's Service, before it "
    "calls `rollout promote`",
    "rollout": "run the load or the check in the pipeline while the release runs; a bad result "
    "calls `rollout rollback`",
    "rollback": "whoever knows that it is bad calls `rollout rollback`",
    "post-rollout": "follow the release with `rollout watch`, and act on its exit code",
    "event": "Releases have Kubernetes Events, and the HTTP API a stream",
}


@dataclass
class Plan:
    """What the analysis comes to."""

    body: dict[str, Any]
    interval: timedelta
    threshold: int
    ticks: int
    """How often Flagger looked in a whole run."""
    notes: dict[Path, str] = field(default_factory=dict)


def plan(source: Source, provider: str) -> Plan:
    """Read weights, times and gates."""
    interval = max(duration(source, "interval") or INTERVAL, FLOOR)
    source.take("interval", "minDuration of the steps, or bake")
    threshold = source.number("threshold") or 1
    source.assume(
        "threshold",
        "failures of metrics of kind Value; shares are judged by the number of requests",
    )
    iterations = source.number("iterations") or 0
    if provider == "kubernetes" and not iterations:
        iterations = WITHOUT_MESH
    if iterations > 0 and source.peek("match") and provider != "kubernetes":
        found = _by_header(source, interval, threshold, iterations)
    elif iterations > 0:
        found = _blue_green(source, interval, threshold, iterations)
    else:
        source.not_needed("iterations", "0 is none, so the weights rise")
        found = _canary(source, interval, threshold)
    _gates(source, found)
    _rest(source)
    if provider == "kubernetes":
        source.not_needed("match", "Flagger dropped it, as nothing routes requests")
    return found


def _blue_green(source: Source, interval: timedelta, threshold: int, count: int) -> Plan:
    bake = interval * count
    found = Plan({"blueGreen": {"bake": format_duration(bake)}}, interval, threshold, count)
    source.assume("iterations", f"bake: {count} times the interval")
    found.notes["strategy", "blueGreen", "bake"] = (
        f"Flagger looked {count} times before the traffic moved; here the judge looks after the "
        "cutover, with rollback one write away."
    )
    _unweighted(source)
    return found


def _by_header(source: Source, interval: timedelta, threshold: int, count: int) -> Plan:
    """Convert an A/B test: a blue-green would show everybody what a few were to see."""
    found = Plan({"canary": {}}, interval, threshold, count)
    source.no_equal("iterations", BY_HEADER)
    found.notes["strategy", "canary"] = (
        "Only requests that matched were tested; here any request may be one of the share: these "
        "are the defaults, 5, 20 and 50 %."
    )
    _unweighted(source)
    return found


def _unweighted(source: Source) -> None:
    for key in ("stepWeight", "stepWeights", "maxWeight"):
        source.not_needed(key, "iterations win, so it did nothing")


def _canary(source: Source, interval: timedelta, threshold: int) -> Plan:
    weights, each = _fewer(_weights(source))
    held = format_duration(interval * each)
    steps = [
        {"weight": weight, "minDuration": held, "onUndecided": "Advance"} for weight in weights
    ]
    found = Plan({"canary": {}}, interval, threshold, max(len(weights) * each, 1))
    if steps:
        found.body["canary"]["steps"] = steps
        found.notes["strategy", "canary", "steps"] = ADVANCES + _said(each)
    else:
        found.notes["strategy", "canary"] = (
            "There were no weights to take over: these are the defaults, 5, 20 and 50 %."
        )
    return found


def _said(each: int) -> str:
    if each == 1:
        return ""
    return (
        f" A canary has at most {MOST_STEPS} steps, so every {each} steps are one, as long as both."
    )


def _weights(source: Source) -> list[int]:
    step, most = source.number("stepWeight"), source.number("maxWeight") or WHOLE
    given = source.peek("stepWeights")
    if step:
        source.take("stepWeight", "weights of the steps")
        source.take("maxWeight", "the last step")
        source.not_needed("stepWeights", "stepWeight wins, so it did nothing")
        return [one for one in range(step, most + step, step) if one < WHOLE]
    source.not_needed("stepWeight", "0 is no step")
    if not isinstance(given, list | None) or not all(type(one) is int for one in given or ()):
        raise source.unreadable("stepWeights", "a list of whole numbers")
    source.take("stepWeights", "weights of the steps")
    source.not_needed("maxWeight", "the last of stepWeights is the largest")
    return sorted({one for one in given or () if 0 < one < WHOLE})


def _fewer(weights: list[int]) -> tuple[list[int], int]:
    """Leave out steps where there are too many; each that is left holds for those before it."""
    each = max(ceil(len(weights) / MOST_STEPS), 1)
    return weights[each - 1 :: each] + ([weights[-1]] if len(weights) % each else []), each


def _gates(source: Source, found: Plan) -> None:
    for hook in source.parts("webhooks"):
        kind = hook.text("type") or "rollout"
        if kind not in GATES:
            advice = WEBHOOKS.get(kind, "there are no webhooks: do it in the pipeline")
            hook.whole(Fate.NO_EQUAL, advice)
            continue
        hook.take("name")
        what = _gate(found, kind)
        if "only" in what:
            hook.assume("type", what)
        else:
            hook.take("type", what)
        said = "a person approves, or a program by `rollout promote` or the HTTP API"
        for key in ("url", "timeout", "retries", "metadata", "muteAlert", "disableTLS"):
            hook.no_equal(key, said)


def _gate(found: Plan, kind: str) -> str:
    """Put an approval where the gate was."""
    approval = {"timeout": WITHOUT_END, "onTimeout": "Rollback"}
    if "blueGreen" in found.body:
        found.body["blueGreen"]["approval"] = approval
        found.notes["strategy", "blueGreen", "approval"] = FOR_EVER
        return "approval before the cutover"
    steps = found.body["canary"].setdefault(
        "steps", [{"weight": 5}, {"weight": 20}, {"weight": 50}]
    )
    at = {"confirm-rollout": [0], "confirm-promotion": [len(steps) - 1]}
    for index in at.get(kind, range(len(steps))):
        steps[index]["approval"] = dict(approval)
        found.notes["strategy", "canary", "steps", index, "approval"] = FOR_EVER
    if kind == "confirm-rollout":
        return "approval after the first step; before it only `trigger: Command` asks a person"
    return "approval of the last step" if kind == "confirm-promotion" else "approval of each step"


def _rest(source: Source) -> None:
    for key in ("primaryReadyThreshold", "canaryReadyThreshold"):
        if source.number(key) == WHOLE:
            source.not_needed(key, "all pods must be ready, as always")
        else:
            source.no_equal(key, "all pods that a step asks for must be ready")
    if source.flag("mirror"):
        source.no_equal("mirror", "requests are not mirrored")
    else:
        source.not_needed("mirror", "false is how it always is")
    source.none_equal(
        {
            "mirrorWeight": "requests are not mirrored",
            "match": "requests are told apart by weight alone: no header or cookie chooses",
            "stepWeightPromotion": "at the cutover all requests move at once, to pods that wait",
            "sessionAffinity": "no cookies are set; the ingress controller's own affinity holds",
            "alerts": "rollout sends none: alert on the controller's metrics or on Events",
        }
    )
