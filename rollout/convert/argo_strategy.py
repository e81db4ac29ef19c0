"""Strategies of Argo Rollouts: canary and blue-green, and what steers their requests."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from rollout.convert.argo_analysis import Analysis
from rollout.convert.argo_steps import (
    ADVANCES,
    FOR_EVER,
    NONE,
    Walk,
    bodies,
)
from rollout.convert.ledger import Fate, Path, Source
from rollout.convert.times import WITHOUT_END, duration
from rollout.convert.weights import NO_ROUTER, UNROUTED, WHOLE
from rollout.resources.duration import format_duration

PREFIX: Final = "nginx.ingress.kubernetes.io"
OWN_SERVICE: Final = (
    "rollout makes a Service of its own for the candidate, and removes it; delete this one after "
    "the move"
)
ROLES: Final = "labels do not change with the role: the candidate's pods have rollout.dev/track"
APART: Final = "write podAntiAffinity into the pod template"
FAILED_PODS: Final = (
    "the candidate's pods go when the traffic has drained; its Events and verdicts stay in the "
    "Release"
)
ONE_BEFORE: Final = "only the version before stays up, for the time of bake"
HEADERS: Final = "canary Ingresses have a weight alone: header and cookie routes are not written"


@dataclass
class Strategy:
    """What both strategies come to."""

    body: dict[str, Any]
    traffic: dict[str, Any] = field(default_factory=dict)
    notes: dict[Path, str] = field(default_factory=dict)
    """Comments, by place in the Rollout's spec."""
    surge: dict[str, Any] = field(default_factory=dict)
    """`rollingUpdate` of the Deployment."""
    judged: bool = False
    router: str = ""
    """What steered requests, where it is none that we know."""
    leftover: list[tuple[str, str]] = field(default_factory=list)
    """Kind and name of objects that nobody needs after the move."""


def canary(source: Source, analysis: Analysis, name: str, replicas: int | None) -> Strategy:
    """Convert a canary."""
    routing = source.part("trafficRouting")
    walk = Walk(analysis, routing.number("maxTrafficWeight") or WHOLE)
    routing.take("maxTrafficWeight", "the weights, in percent")
    background = source.part("analysis")
    if background.value:
        walk.judged = True
        analysis.run(background, "the policy, which judges every step")
        _starting(background)
    for step in source.parts("steps"):
        walk.take(step)
    floor = source.number("minPodsPerReplicaSet") or 1
    source.take("minPodsPerReplicaSet", "replicas of steps with fewer pods")
    if floor > 1 and replicas is None:
        source.no_equal("minPodsPerReplicaSet", "write replicas at steps with too few pods")
    found = Strategy({"canary": _canary_body(walk, floor, replicas)}, judged=walk.judged)
    _comment(found, walk)
    _services(source, found)
    _bake(source, found, "canary", walk.bake)
    _route(routing, found, name)
    for key in ("maxSurge", "maxUnavailable"):
        if source.has(key):
            found.surge[key] = source.take(key, f"strategy.rollingUpdate.{key} of the Deployment")
    _canary_rest(source)
    return found


def _starting(background: Source) -> None:
    if not background.number("startingStep"):
        background.take("startingStep")
    else:
        background.no_equal("startingStep", "every step is judged, the first ones too")


def _canary_body(walk: Walk, floor: int, replicas: int | None) -> dict[str, Any]:
    steps = bodies(walk, floor, replicas)
    return {"steps": steps} if steps else {}


def _comment(found: Strategy, walk: Walk) -> None:
    where: Path = ("strategy", "canary", "steps")
    if not walk.steps:
        found.notes["strategy", "canary"] = (
            "There were no weights to take over: these are the defaults, 5, 20 and 50 % for a "
            "minute each."
        )
        return
    found.notes[where] = ADVANCES
    for index, step in enumerate(walk.steps):
        for key, said in step.notes:
            found.notes[(*where, index, key)] = said
        if not step.held and not step.gated:
            found.notes[(*where, index, "maxDuration")] = (
                "There was no pause: it goes on as soon as the judge has seen enough."
            )


def _services(source: Source, found: Strategy) -> None:
    if (stable := source.take("stableService", "traffic.services")) is not None:
        found.traffic["services"] = [stable]
    if (candidate := source.not_needed("canaryService", OWN_SERVICE)) is not None:
        found.leftover.append(("service", str(candidate)))
    source.part("pingPong").none_equal(
        {
            "pingService": "no Services change roles: name the one that users reach in services",
            "pongService": "delete it after the move",
        }
    )


def _bake(source: Source, found: Strategy, kind: str, least: timedelta) -> None:
    """Keep the version before up for as long as it was, or for as long as it is judged."""
    delay = duration(source, "scaleDownDelaySeconds")
    source.take("scaleDownDelaySeconds", "bake")
    source.not_needed("scaleDownDelayRevisionLimit", ONE_BEFORE)
    source.no_equal("abortScaleDownDelaySeconds", FAILED_PODS)
    if delay is not None or least:
        bake = max(delay or NONE, least)
        found.body[kind]["bake"] = format_duration(bake)


def _route(routing: Source, found: Strategy, name: str) -> None:
    nginx = routing.part("nginx")
    names = [*nginx.texts("stableIngresses"), *filter(None, [nginx.text("stableIngress")])]
    for key in ("stableIngress", "stableIngresses"):
        nginx.take(key, "traffic.ingresses")
    prefix = nginx.take("annotationPrefix", "traffic.annotationPrefix")
    if names:
        found.traffic["ingresses"] = names
        found.leftover += [("ingress", f"{name}-{ingress}-canary") for ingress in names]
    if prefix and prefix != PREFIX:
        found.traffic["annotationPrefix"] = prefix
    nginx.none_equal(
        {
            "additionalIngressAnnotations": HEADERS,
            "canaryIngressAnnotations": HEADERS,
        }
    )
    for router in (*("istio", "alb", "smi", "ambassador", "appMesh", "traefik"), "apisix"):
        found.router = router if routing.has(router) else found.router
        routing.no_equal(router, NO_ROUTER)
    found.router = "a plugin" if routing.has("plugins") else found.router
    routing.no_equal("plugins", NO_ROUTER)
    routing.no_equal("managedRoutes", HEADERS)
    if not routing.value:
        found.traffic["shareBy"] = "Replicas"
        found.notes["traffic", "shareBy"] = (
            "There was no trafficRouting, so pods made the share. Here it is rounded down: a "
            "weight that the pods cannot make is refused at the start of a release."
        )
    elif not names:
        found.notes["traffic",] = UNROUTED


def _canary_rest(source: Source) -> None:
    dynamic = "stable keeps all its pods, so that the way back needs none (plan for the room)"
    if source.flag("dynamicStableScale"):
        source.no_equal("dynamicStableScale", dynamic)
    else:
        source.not_needed("dynamicStableScale", "false is how it always is")
    source.none_equal(
        {
            "replicaProgressThreshold": "a step needs all pods that its weight asks for",
            "antiAffinity": APART,
            "canaryMetadata": ROLES,
            "stableMetadata": ROLES,
        }
    )


def blue_green(source: Source, analysis: Analysis) -> Strategy:
    """Convert a blue-green strategy."""
    body: dict[str, Any] = {}
    found = Strategy({"blueGreen": body})
    if (active := source.take("activeService", "traffic.services")) is not None:
        found.traffic["services"] = [active]
    if (preview := source.take("previewService", "previewService")) is not None:
        body["previewService"] = preview
    if (count := source.number("previewReplicaCount")) is not None:
        source.take("previewReplicaCount", "previewReplicas")
        body["previewReplicas"] = max(count, 1)
    _promotion(source, body, found)
    before, after = source.part("prePromotionAnalysis"), source.part("postPromotionAnalysis")
    least = NONE
    for run, what in (
        (before, "judged in the bake, not before the cutover"),
        (after, "judged in the bake"),
    ):
        if run.value:
            found.judged = True
            least = max(least, analysis.run(run, f"the policy: {what}"))
    if before.value:
        _before(before, found)
    _bake(source, found, "blueGreen", least)
    source.not_needed("maxUnavailable", "it was for restarts only: `rollout restart` surges")
    source.none_equal({"antiAffinity": APART, "activeMetadata": ROLES, "previewMetadata": ROLES})
    return found


def _before(run: Source, found: Strategy) -> None:
    """Say that nothing is judged before users come."""
    said = (
        "nothing is judged before the cutover, as no users are there to be counted: run the check "
        "in the pipeline and let it call `rollout promote` at the approval"
    )
    run.ledger.record((*run.path, "templates"), run.peek("templates"), Fate.NO_EQUAL, said)
    found.notes["strategy", "blueGreen"] = (
        "It had an analysis before the cutover; here the bake after it is judged."
    )


def _promotion(source: Source, body: dict[str, Any], found: Strategy) -> None:
    manual = source.flag("autoPromotionEnabled") is False
    wait = duration(source, "autoPromotionSeconds")
    source.take("autoPromotionEnabled", "approval" if manual else "no approval")
    if manual:
        why = "autoPromotionEnabled: false wins, so it did nothing"
        source.not_needed("autoPromotionSeconds", why)
        body["approval"] = {"timeout": WITHOUT_END, "onTimeout": "Rollback"}
        found.notes["strategy", "blueGreen", "approval"] = FOR_EVER
        return
    source.take("autoPromotionSeconds", "approval.timeout, with onTimeout: Advance")
    if wait:
        body["approval"] = {"timeout": format_duration(wait), "onTimeout": "Advance"}
