"""Stories of shares that pods make, and of a target that rolls while it serves."""

from collections.abc import Callable
from typing import Any

from rollout.resources.release import Phase, Release
from rollout.resources.words import POD_TEMPLATE_HASH
from rollout.resources.writes import Kind, Object
from rollout.simulate.kubelet import Behaviour
from rollout.simulate.world import Judge, World
from tests.build import canary, deployment, ingress, release, rollout, service
from tests.engine.stories import (
    Deed,
    Story,
    When,
    act,
    at_weight,
    crashing,
    delete,
    edit,
    in_phase,
    never_ready,
    scale,
    unpause,
    waiting,
    widen,
)
from tests.engine.trouble import both, create, evict, heal, noted, pin, sicken, told

Shop = Callable[..., tuple[dict[str, Any], ...]]


def shop_of(*, routed: bool = True, services: tuple[str, ...] = ("web",), **spec: Any) -> Shop:
    """The shop with other Services, with or without an Ingress, and fields of the Rollout."""

    def objects(strategy: dict[str, Any] | None = None, replicas: int = 4) -> Any:
        return (
            deployment(replicas=replicas),
            *(service(name) for name in services),
            *([ingress()] if routed else []),
            rollout(strategy=strategy, **spec),
            release(),
        )

    return objects


UNROUTED = shop_of(routed=False)
IN_PLACE = shop_of(adoption="InPlace")


def wide(world: World, found: Release) -> bool:
    """When the Services select both versions and the first share is read back."""
    return at_weight(20)(world, found) and "weight" in found.status.marks


def narrow_with_candidate(world: World, found: Release) -> bool:
    """When candidate pods are there and the Service is still narrowed."""
    body = world.get(Kind.SERVICE, "web")
    candidate = world.get(Kind.DEPLOYMENT, "web-candidate")
    pinned = body is not None and POD_TEMPLATE_HASH in body["spec"]["selector"]
    grown = candidate is not None and candidate["spec"]["replicas"] > 0
    return pinned and grown and found.status.phase is Phase.PREPARING


def narrowed_in_pause(world: World, found: Release) -> bool:
    """When a paused release has no traffic, because the target became too small for its share."""
    return waiting("PausedByPerson")(world, found) and at_weight(0)(world, found)


def silenced_in_bake(world: World, found: Release) -> bool:
    """When the candidate has lost its share in the bake; a word of it may be lost in a crash."""
    return in_phase(Phase.BAKING, marked="bake")(world, found) and at_weight(0)(world, found)


def opened(_: World, found: Release) -> bool:
    """When the Services are the user's own again, and the target has not rolled yet."""
    return "opened" in found.status.marks


def half_rolled(world: World, _: Release) -> bool:
    """When the target has ready pods of both versions."""
    pods = [p for p in world.all(Kind.POD) if "deletionTimestamp" not in p["metadata"]]
    images = {str(p["spec"]["containers"][0]["image"])[-2:] for p in pods if is_ready(p)}
    return images >= {"v1", "v2"} and world.get(Kind.DEPLOYMENT, "web-candidate") is None


def is_ready(pod: Object) -> bool:
    """Whether a pod takes requests."""
    conditions = pod.get("status", {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def only_the_candidate_starts(pod: Object) -> Behaviour:
    """The new version is fine in the candidate, and never ready in the target."""
    new = pod["spec"]["containers"][0]["image"].endswith(":v2")
    tracked = "rollout.dev/track" in pod["metadata"]["labels"]
    return Behaviour(startup=1.0, ready=tracked or not new)


def by_pods(name: str, end: Phase, reason: str, **fields: Any) -> Story:
    """A story in which pods make the share."""
    given: dict[str, Any] = {"cluster": UNROUTED, "weighted": False, **fields}
    return Story(f"by pods: {name}", end, reason, **given)


def rolls(name: str, end: Phase, reason: str, **fields: Any) -> Story:
    """A story in which the target rolls while it serves."""
    given: dict[str, Any] = {"cluster": IN_PLACE, "in_place": True, **fields}
    return Story(f"in place: {name}", end, reason, **given)


ADOPTING = Phase.ADOPTING

BY_PODS: tuple[Story, ...] = (
    by_pods("promoted", Phase.SUCCEEDED, "Succeeded"),
    by_pods("bad at once", Phase.ROLLED_BACK, "VerdictFail", judge=Judge(bad_from=1)),
    by_pods("bad at half", Phase.ROLLED_BACK, "VerdictFail", judge=Judge(bad_from=50)),
    by_pods("bad in the bake", Phase.ROLLED_BACK, "VerdictFail", judge=Judge(bad_from=100)),
    by_pods(
        "an Ingress is there, and is not weighted",
        Phase.SUCCEEDED,
        "Succeeded",
        cluster=shop_of(traffic={"shareBy": "Replicas"}),
    ),
    by_pods(
        "two Services",
        Phase.SUCCEEDED,
        "Succeeded",
        cluster=shop_of(routed=False, services=("web", "web-internal")),
    ),
    by_pods(
        "two Services, bad at half",
        Phase.ROLLED_BACK,
        "VerdictFail",
        cluster=shop_of(routed=False, services=("web", "web-internal")),
        judge=Judge(bad_from=50),
    ),
    by_pods(
        "a Service that does not carry the split",
        Phase.SUCCEEDED,
        "Succeeded",
        cluster=shop_of(routed=False, services=("web", "internal"), traffic={"services": ["web"]}),
    ),
    by_pods(
        "one replica",
        Phase.SUCCEEDED,
        "Succeeded",
        replicas=1,
        strategy=canary(50),
    ),
    by_pods(
        "a step that cannot be made",
        Phase.FAILED,
        "ShareUnreachable",
        strategy=canary(5, 50),
        candidate_traffic=False,
    ),
    by_pods(
        "never ready",
        Phase.ROLLED_BACK,
        "ProgressDeadlineExceeded",
        behaviour=never_ready,
        candidate_traffic=False,
    ),
    by_pods(
        "the candidate crashes in a loop",
        Phase.ROLLED_BACK,
        "ProgressDeadlineExceeded",
        behaviour=crashing,
    ),
    *(
        by_pods(
            f"rollback by a person while {phase}",
            Phase.ROLLED_BACK,
            "RolledBackByPerson",
            deeds=(Deed(in_phase(phase), act("rollback")),),
        )
        for phase in (Phase.PREPARING, Phase.PROGRESSING, Phase.PROMOTING, Phase.BAKING, ADOPTING)
    ),
    by_pods(
        "rollback by a person at the first share",
        Phase.ROLLED_BACK,
        "RolledBackByPerson",
        deeds=(Deed(wide, act("rollback")),),
    ),
    by_pods(
        "paused and resumed",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(wide, act("pause")), Deed(waiting("PausedByPerson"), act("resume"))),
    ),
    by_pods(
        "promoted in full",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(wide, act("promoteFull")),),
    ),
    by_pods(
        "scaled up at half",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(at_weight(50), scale(8)),),
        scaled=True,
    ),
    by_pods(
        "scaled down at half",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(at_weight(50), scale(2)),),
        scaled=True,
    ),
    by_pods(
        "scaled down at half, bad at once after",
        Phase.ROLLED_BACK,
        "VerdictFail",
        deeds=(Deed(at_weight(50), scale(2)),),
        judge=Judge(bad_from=60),
        scaled=True,
    ),
    by_pods(
        "scaled down while paused, and resumed",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(
            Deed(at_weight(50), act("pause")),
            Deed(waiting("PausedByPerson"), scale(2)),
            Deed(narrowed_in_pause, act("resume")),
        ),
        scaled=True,
    ),
    by_pods(
        "scaled below what the step needs, and up again",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(
            Deed(wide, scale(2)),
            Deed(waiting("ShareUnreachable"), both(scale(4), act("resume"))),
        ),
        scaled=True,
    ),
    by_pods(
        "scaled below what the step needs, and promoted",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(wide, scale(2)), Deed(waiting("ShareUnreachable"), act("promote"))),
        scaled=True,
    ),
    by_pods(
        "scaled to zero at a step, rolled back",
        Phase.ROLLED_BACK,
        "RolledBackByPerson",
        deeds=(
            Deed(wide, scale(0)),
            Deed(waiting("TargetAtZero"), both(scale(4), act("rollback"))),
        ),
        scaled=True,
        outage=True,
    ),
    by_pods(
        "the selector is widened before its time",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(narrow_with_candidate, widen),),
        meddled=True,
    ),
    by_pods(
        "the Service is pointed elsewhere at a step",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(wide, pin("deadbeef")),),
        outage=True,
        meddled=True,
    ),
    by_pods(
        "a Service appears at a step",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(wide, create(service("late"))),),
        extra=("SERVICE/late",),
        meddled=True,
    ),
    by_pods(
        "stable loses its pods at a step, rolled back",
        Phase.ROLLED_BACK,
        "RolledBackByPerson",
        behaviour=noted,
        deeds=(
            Deed(wide, both(sicken("stable"), act("rollback"))),
            Deed(in_phase(Phase.ROLLING_BACK), heal),
        ),
        outage=True,
    ),
    by_pods(
        "stable loses its pods at a step for a while",
        Phase.SUCCEEDED,
        "Succeeded",
        behaviour=noted,
        deeds=(Deed(wide, sicken("stable")), Deed(told("StableNotReady"), heal)),
        outage=True,
    ),
    by_pods(
        "a candidate pod is evicted at a step",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(wide, evict("candidate")),),
    ),
    by_pods(
        "edited and unpaused at a step",
        Phase.FAILED,
        "TargetTakenOver",
        deeds=(Deed(wide, both(edit(), unpause)),),
        image="v9",
        scaled=True,
        forgiving=True,
        edits=True,
    ),
    by_pods(
        "Release deleted at a step",
        Phase.CANCELLED,
        "Deleted",
        deeds=(Deed(wide, delete(Kind.RELEASE, "web-v2")),),
    ),
    by_pods(
        "the Deployment is deleted at a step",
        Phase.FAILED,
        "TargetGone",
        deeds=(Deed(wide, delete(Kind.DEPLOYMENT, "web")),),
        outage=True,
        forgiving=True,
        gone=True,
    ),
)


def rolling_back(when: When, what: str) -> Story:
    """A person takes a release back that adopts in place."""
    return rolls(
        f"rollback by a person {what}",
        Phase.ROLLED_BACK,
        "RolledBackByPerson",
        deeds=(Deed(when, act("rollback")),),
    )


IN_BAKE = in_phase(Phase.BAKING, marked="bake")

ROLLING: tuple[Story, ...] = (
    rolls("promoted", Phase.SUCCEEDED, "Succeeded"),
    rolls("one replica", Phase.SUCCEEDED, "Succeeded", replicas=1),
    rolls("bad at once", Phase.ROLLED_BACK, "VerdictFail", judge=Judge(bad_from=1)),
    rolls("bad at half", Phase.ROLLED_BACK, "VerdictFail", judge=Judge(bad_from=50)),
    rolls("bad in the bake", Phase.ROLLED_BACK, "VerdictFail", judge=Judge(bad_in_bake=True)),
    rolls(
        "by pods, promoted",
        Phase.SUCCEEDED,
        "Succeeded",
        cluster=shop_of(routed=False, adoption="InPlace"),
        weighted=False,
    ),
    rolls(
        "by pods, bad in the bake",
        Phase.ROLLED_BACK,
        "VerdictFail",
        cluster=shop_of(routed=False, adoption="InPlace"),
        weighted=False,
        judge=Judge(bad_in_bake=True),
    ),
    rolling_back(in_phase(Phase.PREPARING), "while Preparing"),
    rolling_back(at_weight(20), "at a step"),
    rolling_back(IN_BAKE, "in the bake"),
    rolling_back(in_phase(ADOPTING), "as Adopting begins"),
    rolling_back(opened, "when the Services are wide"),
    rolling_back(in_phase(ADOPTING, marked="written"), "as the template is written"),
    rolling_back(half_rolled, "when the target has rolled by half"),
    rolls(
        "rollback by a person once committed is refused",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(lambda _, r: r.status.committed, act("rollback")),),
    ),
    rolls(
        "the target's new pods are never ready",
        Phase.ROLLED_BACK,
        "ProgressDeadlineExceeded",
        behaviour=only_the_candidate_starts,
    ),
    rolls(
        "paused in the bake and resumed",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(IN_BAKE, act("pause")), Deed(waiting("PausedByPerson"), act("resume"))),
    ),
    rolls(
        "promoted in full at the first step",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(at_weight(20), act("promoteFull")),),
    ),
    rolls(
        "edited at a step, resumed",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(at_weight(20), edit()), Deed(waiting("EditWaiting"), act("resume"))),
        displaced="v9",
    ),
    rolls(
        "edited while the target rolls, resumed",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(
            Deed(in_phase(ADOPTING, marked="templated"), edit()),
            Deed(waiting("EditWaiting"), act("resume")),
        ),
        displaced="v9",
        edits=True,
    ),
    rolls(
        "edited while the target rolls, rolled back",
        Phase.ROLLED_BACK,
        "RolledBackByPerson",
        deeds=(
            Deed(in_phase(ADOPTING, marked="templated"), edit()),
            Deed(waiting("EditWaiting"), act("rollback")),
        ),
        displaced="v9",
        edits=True,
    ),
    rolls(
        "stable's template is written while the target rolls",
        Phase.ROLLED_BACK,
        "StableTemplateWritten",
        deeds=(Deed(in_phase(ADOPTING, marked="templated"), edit("registry.local/web:v1")),),
    ),
    rolls(
        "scaled up while the target rolls",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(in_phase(ADOPTING, marked="templated"), scale(6)),),
        scaled=True,
    ),
    rolls(
        "a Service appears while the target rolls",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(in_phase(ADOPTING, marked="templated"), create(service("late"))),),
        extra=("SERVICE/late",),
    ),
    rolls(
        "the candidate loses its pods in the bake for a while",
        Phase.SUCCEEDED,
        "Succeeded",
        behaviour=noted,
        deeds=(Deed(IN_BAKE, sicken("candidate")), Deed(silenced_in_bake, heal)),
        outage=True,
    ),
    rolls(
        "Release deleted while the target rolls",
        Phase.CANCELLED,
        "Deleted",
        deeds=(Deed(in_phase(ADOPTING, marked="templated"), delete(Kind.RELEASE, "web-v2")),),
    ),
)

MODES: tuple[Story, ...] = (*BY_PODS, *ROLLING)
