"""Stories of what people change by hand while a release stands still, or cannot go on."""

from typing import Any

from rollout.resources.release import Phase, Release
from rollout.resources.words import POD_TEMPLATE_HASH, TRACK
from rollout.resources.writes import Kind, Object
from rollout.simulate.kubelet import Behaviour
from rollout.simulate.world import World
from tests.build import blue_green, service
from tests.engine.stories import Act, Deed, Story, act, at_weight, scale, waiting
from tests.engine.trouble import both, with_
from tests.engine.watch import weight

NGINX = "nginx.ingress.kubernetes.io"


def give(weight: int) -> Act:
    """Set the share of the canary route by hand."""
    body = {"metadata": {"annotations": {f"{NGINX}/canary-weight": str(weight)}}}
    return lambda world: (world.patch(Kind.INGRESS, "web-candidate", body), None)[1]


def lowered(world: World, found: Release) -> bool:
    """When the share is the step's again, while somebody has paused the release."""
    return weight(world) == 20 and waiting("PausedByPerson")(world, found)


def hide_preview(world: World) -> None:
    """Apply the user's own preview Service again."""
    world.patch(Kind.SERVICE, "preview", {"spec": {"selector": {POD_TEMPLATE_HASH: None}}})


def previewed(world: World, found: Release) -> bool:
    """When the release waits for approval and the preview shows the candidate."""
    preview = world.get(Kind.SERVICE, "preview")
    assert preview is not None
    shown = preview["spec"]["selector"].get(POD_TEMPLATE_HASH) == found.status.hashes.candidate
    return shown and waiting("Approval")(world, found)


def target_never_ready(pod: Object) -> Behaviour:
    """The candidate is fine; the target's own pods of the new version never get ready."""
    new = pod["spec"]["containers"][0]["image"].endswith(":v2")
    return Behaviour(startup=1.0, ready=not new or TRACK in pod["metadata"]["labels"])


PREVIEW: dict[str, Any] = blue_green(previewService="preview", approval={})

HANDS: tuple[Story, ...] = (
    Story(
        "scaled to zero while paused by a person, rolled back",
        Phase.ROLLED_BACK,
        "RolledBackByPerson",
        deeds=(
            Deed(at_weight(20), act("pause")),
            Deed(waiting("PausedByPerson"), scale(0)),
            Deed(waiting("TargetAtZero"), both(scale(4), act("rollback"))),
        ),
        scaled=True,
        outage=True,
    ),
    Story(
        "scaled to zero while paused by a person, resumed",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(
            Deed(at_weight(20), act("pause")),
            Deed(waiting("PausedByPerson"), scale(0)),
            Deed(waiting("TargetAtZero"), both(scale(4), act("resume"))),
        ),
        scaled=True,
        outage=True,
    ),
    Story(
        "the share is raised by hand while paused",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(
            Deed(at_weight(20), act("pause")),
            Deed(waiting("PausedByPerson"), give(90)),
            Deed(lowered, act("resume")),
        ),
    ),
    Story(
        "the target's own pods never get ready, rolled back",
        Phase.ROLLED_BACK,
        "RolledBackByPerson",
        behaviour=target_never_ready,
        deeds=(Deed(waiting("TargetNotReady"), act("rollback")),),
    ),
    Story(
        "the preview is pointed elsewhere while it waits for approval",
        Phase.SUCCEEDED,
        "Succeeded",
        strategy=PREVIEW,
        cluster=with_(service("preview")),
        deeds=(
            Deed(waiting("Approval"), hide_preview),
            Deed(previewed, act("promote")),
        ),
        extra=("SERVICE/preview",),
    ),
)
