"""Stories of what others do in the middle of a release: the ones that a controller gets wrong."""

from collections.abc import Callable
from typing import Any

from rollout.resources.release import Phase, Release
from rollout.resources.words import LATCH, POD_TEMPLATE_HASH, RESTORE, TRACK
from rollout.resources.writes import Delete, Kind, Object
from rollout.simulate.kubelet import Behaviour
from rollout.simulate.world import NAMESPACE, World
from tests.build import blue_green, canary, deployment, ingress, release, rollout, service
from tests.engine.stories import (
    Act,
    Deed,
    Story,
    When,
    act,
    at_weight,
    delete,
    edit,
    in_phase,
    scale,
    unpause,
    waiting,
    widen,
)

Shop = Callable[..., tuple[dict[str, Any], ...]]


def noted(pod: Object) -> Behaviour:
    """Ready, unless somebody has noted on the pod that it is sick."""
    notes = pod["metadata"].get("annotations") or {}
    return Behaviour(startup=1.0, ready="sick" not in notes)


def pods_of(world: World, side: str) -> list[str]:
    """Names of the pods of one side that were not told to stop."""
    return [
        str(pod["metadata"]["name"])
        for pod in world.all(Kind.POD)
        if (TRACK in pod["metadata"]["labels"]) == (side == "candidate")
        and "deletionTimestamp" not in pod["metadata"]
    ]


def sicken(side: str) -> Act:
    """Have all pods of one side stop being ready."""

    def do(world: World) -> None:
        for name in pods_of(world, side):
            world.patch(Kind.POD, name, {"metadata": {"annotations": {"sick": "true"}}})

    return do


def heal(world: World) -> None:
    """Have all pods be ready again."""
    for pod in world.all(Kind.POD):
        body = {"metadata": {"annotations": {"sick": None}}}
        world.patch(Kind.POD, str(pod["metadata"]["name"]), body)


def evict(side: str) -> Act:
    """Evict all pods of one side; they are replaced."""

    def do(world: World) -> None:
        for name in pods_of(world, side):
            world.forgiven.add(name)
            world.cluster.apply(Delete(Kind.POD, NAMESPACE, name))
        world.kubelet.quiesce()

    return do


def pin(hash_: str) -> Act:
    """Point the Service at some other hash."""
    body = {"spec": {"selector": {POD_TEMPLATE_HASH: hash_}}}
    return lambda world: (world.patch(Kind.SERVICE, "web", body), None)[1]


def forget_notes(world: World) -> None:
    """Remove our notes from what the user owns, as a careless apply does."""
    body = {"metadata": {"annotations": {RESTORE: None, LATCH: None}}}
    world.patch(Kind.SERVICE, "web", body)
    world.patch(Kind.DEPLOYMENT, "web", body)


def both(*acts: Act) -> Act:
    """Do one thing after the other."""
    return lambda world: ([act_(world) for act_ in acts], None)[1]


def create(body: dict[str, Any]) -> Act:
    """Create an object."""

    def do(world: World) -> None:
        world.create(body)
        world.kubelet.quiesce()

    return do


def resolved(_: World, found: Release) -> bool:
    """When what was there is written down, and nothing has been changed yet."""
    return found.status.phase is Phase.PREPARING and found.status.resolved is not None


def narrowed(world: World, found: Release) -> bool:
    """When the candidate has a share, and the controller knows that the Service is narrowed."""
    service_ = world.get(Kind.SERVICE, "web")
    assert service_ is not None
    pinned = POD_TEMPLATE_HASH in service_["spec"]["selector"]
    seen = "widened-web" not in found.status.marks
    return pinned and seen and found.status.weight.applied == 20


def paused_again(world: World, found: Release) -> bool:
    """When the target was unpaused by hand, and the controller knows that it is paused again."""
    target = world.get(Kind.DEPLOYMENT, "web")
    assert target is not None
    seen = target["spec"].get("paused") and "unpaused" not in found.status.marks
    return bool(seen) and told("TargetUnpaused")(world, found)


def edit_waits_in(phase: Phase) -> When:
    """When an edit waits that was found in a phase."""

    def when(_: World, found: Release) -> bool:
        where = found.status.paused_from
        return where is not None and (where.phase, where.reason) == (phase, "EditWaiting")

    return when


def held(seconds: float, at: When) -> When:
    """When something has held for so long since the weight was reached."""

    def when(world: World, found: Release) -> bool:
        since = found.status.marks.get("weight")
        lasted = since is not None and (world.time - since).total_seconds() >= seconds
        return lasted and at(world, found)

    return when


def told(reason: str) -> When:
    """When the timeline tells of something."""
    return lambda _, found: any(entry.reason == reason for entry in found.status.timeline)


def with_(*more: dict[str, Any], **spec: Any) -> Shop:
    """The shop with more objects in it, and fields of the Rollout."""

    def objects(strategy: dict[str, Any] | None = None, replicas: int = 4) -> Any:
        return (
            deployment(replicas=replicas),
            service(),
            ingress(),
            *more,
            rollout(strategy=strategy, **spec),
            release(),
        )

    return objects


def pause(world: World) -> None:
    """Pause the target, as its owner wants it."""
    world.patch(Kind.DEPLOYMENT, "web", {"spec": {"paused": True}})


def namesake(body: dict[str, Any]) -> dict[str, Any]:
    """Somebody's own object that bears a name which we would give."""
    return {**body, "metadata": {"name": "web-candidate", "labels": {"team": "other"}}}


OTHER = deployment("other", replicas=1)
NAMESAKES = (
    namesake({**OTHER, "metadata": {}}),
    namesake(service("x", {"app": "other"})),
    namesake(ingress("x", "other")),
)
SECOND = "registry.local/web:v10"

TROUBLES: tuple[Story, ...] = (
    *(
        Story(
            f"a {body['kind']} of somebody bears our name",
            Phase.FAILED,
            "NameTaken",
            cluster=with_(body),
            candidate_traffic=False,
            outage=True,
        )
        for body in NAMESAKES
    ),
    Story(
        "a Deployment with our name comes in mid-preparation",
        Phase.ROLLED_BACK,
        "ProgressDeadlineExceeded",
        deeds=(Deed(in_phase(Phase.PREPARING), create(NAMESAKES[0])),),
        candidate_traffic=False,
        extra=("DEPLOYMENT/web-candidate",),
    ),
    Story(
        "a second Service that the Rollout does not name",
        Phase.SUCCEEDED,
        "Succeeded",
        cluster=with_(service("internal"), traffic={"services": ["web"]}),
    ),
    Story(
        "a Service appears at a step",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(at_weight(20), create(service("late"))),),
        extra=("SERVICE/late",),
        meddled=True,
        tells=("ServiceAppeared",),
    ),
    Story(
        "a Service appears in the bake",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(in_phase(Phase.BAKING), create(service("late"))),),
        extra=("SERVICE/late",),
        meddled=True,
        tells=("ServiceAppeared",),
    ),
    Story(
        "the Deployment is deleted at a step",
        Phase.FAILED,
        "TargetGone",
        deeds=(Deed(at_weight(20), delete(Kind.DEPLOYMENT, "web")),),
        outage=True,
        forgiving=True,
        gone=True,
    ),
    Story(
        "the Deployment is deleted in the bake",
        Phase.FAILED,
        "TargetGone",
        deeds=(Deed(in_phase(Phase.BAKING), delete(Kind.DEPLOYMENT, "web")),),
        outage=True,
        forgiving=True,
        gone=True,
    ),
    Story(
        "edited while the target rolls, rolled back",
        Phase.ROLLED_BACK,
        "RolledBackByPerson",
        deeds=(
            Deed(in_phase(Phase.ADOPTING, marked="templated"), edit()),
            Deed(waiting("EditWaiting"), act("rollback")),
        ),
        displaced="v9",
    ),
    Story(
        "edited while the target rolls, resumed",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(
            Deed(in_phase(Phase.ADOPTING, marked="templated"), edit()),
            Deed(waiting("EditWaiting"), act("resume")),
        ),
        displaced="v9",
    ),
    Story(
        "edited, resumed, and edited again while the target rolls",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(
            Deed(at_weight(20), edit()),
            Deed(waiting("EditWaiting"), act("resume")),
            Deed(in_phase(Phase.ADOPTING, marked="templated"), edit(SECOND)),
            Deed(edit_waits_in(Phase.ADOPTING), act("resume", 2)),
        ),
        displaced="v10",
    ),
    Story(
        "stable's template is written while the target rolls",
        Phase.ROLLED_BACK,
        "StableTemplateWritten",
        deeds=(Deed(in_phase(Phase.ADOPTING, marked="templated"), edit("registry.local/web:v1")),),
    ),
    Story(
        "edited before anything was written down",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(in_phase(Phase.PREPARING), edit()),),
        scaled=True,
        forgiving=True,
    ),
    Story(
        "edited before it could be paused",
        Phase.FAILED,
        "TargetNotSettled",
        deeds=(Deed(resolved, edit()),),
        image="v9",
        scaled=True,
        forgiving=True,
        candidate_traffic=False,
    ),
    Story(
        "scaled to zero before it could be paused",
        Phase.ROLLED_BACK,
        "ProgressDeadlineExceeded",
        deeds=(Deed(in_phase(Phase.PREPARING), scale(0)),),
        scaled=True,
        outage=True,
        candidate_traffic=False,
    ),
    Story(
        "our notes are lost, promoted",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(at_weight(20), forget_notes),),
        notes=False,
    ),
    Story(
        "our notes are lost, rolled back",
        Phase.ROLLED_BACK,
        "RolledBackByPerson",
        deeds=(Deed(at_weight(20), both(forget_notes, act("rollback"))),),
        notes=False,
    ),
    Story(
        "the user keeps the Deployment paused, promoted",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(in_phase(Phase.PENDING), pause),),
        paused=True,
    ),
    Story(
        "the user keeps the Deployment paused, rolled back while it rolls",
        Phase.ROLLED_BACK,
        "RolledBackByPerson",
        deeds=(
            Deed(in_phase(Phase.PENDING), pause),
            Deed(in_phase(Phase.ADOPTING, marked="templated"), act("rollback")),
        ),
        paused=True,
    ),
    Story(
        "stable loses its pods at a step, rolled back",
        Phase.ROLLED_BACK,
        "RolledBackByPerson",
        behaviour=noted,
        deeds=(
            Deed(at_weight(50), both(sicken("stable"), act("rollback"))),
            Deed(in_phase(Phase.ROLLING_BACK), heal),
        ),
        outage=True,
    ),
    Story(
        "stable loses its pods at a step for a while",
        Phase.SUCCEEDED,
        "Succeeded",
        behaviour=noted,
        deeds=(
            Deed(at_weight(20), sicken("stable")),
            Deed(told("StableNotReady"), heal),
        ),
        outage=True,
    ),
    Story(
        "the candidate loses its pods in the bake",
        Phase.ROLLED_BACK,
        "CandidateNotReady",
        behaviour=noted,
        deeds=(Deed(in_phase(Phase.BAKING), sicken("candidate")),),
        outage=True,
    ),
    Story(
        "the candidate loses its pods while the target rolls",
        Phase.ROLLED_BACK,
        "CandidateNotReady",
        behaviour=noted,
        deeds=(Deed(in_phase(Phase.ADOPTING, marked="templated"), sicken("candidate")),),
        outage=True,
    ),
    Story(
        "one blip of the candidate late in a step",
        Phase.SUCCEEDED,
        "Succeeded",
        strategy=canary(steps=[{"weight": 20, "minDuration": "60s"}], progressDeadline="10s"),
        deeds=(Deed(held(20, at_weight(20)), evict("candidate")),),
    ),
    Story(
        "the Service is pointed elsewhere at a step",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(at_weight(20), pin("deadbeef")),),
        outage=True,
        meddled=True,
    ),
    Story(
        "the Service is pointed elsewhere in the bake",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(in_phase(Phase.BAKING), pin("deadbeef")),),
        outage=True,
        meddled=True,
    ),
    Story(
        "the selector is widened in the bake",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(in_phase(Phase.BAKING), widen),),
        meddled=True,
    ),
    Story(
        "the selector is widened again and again",
        Phase.FAILED,
        "SelectorContested",
        deeds=tuple(Deed(narrowed, widen) for _ in range(3)),
        forgiving=True,
        meddled=True,
    ),
    Story(
        "the canary route is deleted",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(at_weight(20), delete(Kind.INGRESS, "web-candidate")),),
        tells=("RouteGone",),
    ),
    Story(
        "edited and unpaused at a step",
        Phase.FAILED,
        "TargetTakenOver",
        deeds=(Deed(at_weight(20), both(edit(), unpause)),),
        image="v9",
        scaled=True,
        forgiving=True,
    ),
    Story(
        "edited and unpaused in the bake",
        Phase.FAILED,
        "TargetTakenOver",
        deeds=(Deed(in_phase(Phase.BAKING), both(edit(), unpause)),),
        image="v9",
        scaled=True,
    ),
    Story(
        "unpaused for the second time",
        Phase.FAILED,
        "TargetTakenOver",
        deeds=(Deed(at_weight(20), unpause), Deed(paused_again, unpause)),
    ),
    Story(
        "scaled to zero at a step, rolled back",
        Phase.ROLLED_BACK,
        "RolledBackByPerson",
        deeds=(
            Deed(at_weight(20), scale(0)),
            Deed(waiting("TargetAtZero"), both(scale(4), act("rollback"))),
        ),
        scaled=True,
        outage=True,
    ),
    Story(
        "paused during an approval",
        Phase.SUCCEEDED,
        "Succeeded",
        strategy=canary(
            steps=[{"weight": 20, "minDuration": "2s", "approval": {"timeout": "10s"}}]
        ),
        deeds=(
            Deed(waiting("Approval"), act("pause")),
            Deed(waiting("PausedByPerson"), act("resume")),
            Deed(waiting("Approval"), act("promote")),
        ),
    ),
    Story(
        "blue-green, edited and unpaused in the bake",
        Phase.FAILED,
        "TargetTakenOver",
        strategy=blue_green(),
        deeds=(Deed(in_phase(Phase.BAKING), both(edit(), unpause)),),
        image="v9",
        scaled=True,
    ),
)
