"""Stories of a service that Flux applies by the server, again and again, while a release runs.

`spec.selector` is atomic for such an apply, so each one that Flux makes takes the Service's own
selector back, unless the Service says that it is to be left alone.
"""

from typing import Any, Final

from rollout.resources.release import Phase
from rollout.resources.words import (
    FLUX_DISABLED,
    FLUX_NAME,
    FLUX_NAMESPACE,
    FLUX_RECONCILE,
    POD_TEMPLATE_HASH,
)
from rollout.resources.writes import Kind
from rollout.simulate.world import Judge, World
from tests.build import blue_green, deployment, ingress, release, rollout, service
from tests.engine.stories import Deed, Story, at_weight, in_phase
from tests.engine.trouble import create

LABELS: Final = {FLUX_NAME: "shop", FLUX_NAMESPACE: "flux-system"}
OWN: Final = {FLUX_RECONCILE: "enabled"}
LEFT: Final = {FLUX_RECONCILE: FLUX_DISABLED}


def applied(name: str = "web", notes: dict[str, str] | None = None) -> dict[str, Any]:
    """A Service as Flux has applied it."""
    body = service(name)
    body["metadata"] |= {"labels": LABELS, **({"annotations": notes} if notes else {})}
    return body


def with_service(*services: dict[str, Any], routed: bool = True) -> Any:
    """The shop, with Services that Flux applies."""

    def cluster(strategy: dict[str, Any] | None = None, replicas: int = 4) -> Any:
        routes = [ingress()] if routed else []
        return (
            deployment(replicas=replicas),
            *services,
            *routes,
            rollout(strategy=strategy),
            release(),
        )

    return cluster


def apply(world: World) -> None:
    """Apply all Services as Git has them, but for those that say no."""
    for found in world.all(Kind.SERVICE):
        metadata = found["metadata"]
        left = (metadata.get("annotations") or {}).get(FLUX_RECONCILE) == FLUX_DISABLED
        theirs = FLUX_NAME in (metadata.get("labels") or {})
        if theirs and not left and POD_TEMPLATE_HASH in found["spec"]["selector"]:
            own = {"spec": {"selector": {POD_TEMPLATE_HASH: None}}}
            world.patch(Kind.SERVICE, str(metadata["name"]), own)


def forget(world: World) -> None:
    """Take the annotation away, and have Flux apply at once."""
    body = {"metadata": {"annotations": {FLUX_RECONCILE: None}}}
    world.patch(Kind.SERVICE, "web", body)
    apply(world)


FLUX: Final[tuple[Story, ...]] = (
    Story(
        "Flux applies after every write",
        Phase.SUCCEEDED,
        "Succeeded",
        cluster=with_service(applied()),
        always=apply,
    ),
    Story(
        "Flux applies after every write of a release that goes back",
        Phase.ROLLED_BACK,
        "VerdictFail",
        judge=Judge(bad_from=50),
        cluster=with_service(applied()),
        always=apply,
    ),
    Story(
        "Flux applies after every write, blue-green",
        Phase.SUCCEEDED,
        "Succeeded",
        strategy=blue_green(),
        cluster=with_service(applied()),
        always=apply,
    ),
    Story(
        "Flux applies after every write, where pods make the share",
        Phase.SUCCEEDED,
        "Succeeded",
        cluster=with_service(applied(), routed=False),
        always=apply,
        strategy={"canary": {"steps": [{"weight": 25}, {"weight": 50}]}},
        weighted=False,
    ),
    Story(
        "the user's own word to Flux comes back",
        Phase.SUCCEEDED,
        "Succeeded",
        cluster=with_service(applied(notes=OWN)),
        always=apply,
    ),
    Story(
        "the user has told Flux to leave the Service alone",
        Phase.SUCCEEDED,
        "Succeeded",
        cluster=with_service(applied(notes=LEFT)),
        always=apply,
    ),
    Story(
        "Flux brings another Service in mid-release",
        Phase.SUCCEEDED,
        "Succeeded",
        cluster=with_service(applied()),
        deeds=(Deed(in_phase(Phase.PROGRESSING), create(applied("web-internal"))),),
        extra=("SERVICE/web-internal",),
        always=apply,
        meddled=True,
    ),
    Story(
        "somebody takes the word to Flux away",
        Phase.SUCCEEDED,
        "Succeeded",
        cluster=with_service(applied()),
        deeds=(Deed(at_weight(20), forget),),
        always=apply,
        meddled=True,
    ),
)
