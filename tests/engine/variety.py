"""Stories of releases that are asked for in another way, or have company."""

from datetime import timedelta
from typing import Any, Final

from rollout.resources.policy import Then
from rollout.resources.release import Phase, Release
from rollout.resources.writes import Object
from rollout.simulate.kubelet import Behaviour
from rollout.simulate.world import Judge, World
from tests.build import blue_green, canary, deployment, ingress, release, rollout, service
from tests.engine.commits import narrow_again
from tests.engine.stories import Deed, Story, act, at_weight, edit, in_phase, unpause, waiting
from tests.engine.trouble import both, create, with_

TEMPLATE: Final = deployment(image="registry.local/web:v2")["spec"]["template"]
PREVIEW: Final = blue_green(previewService="web-preview", previewReplicas=2, approval={})
TOO: Final = (rollout("web-too"), release("web-too-v3", "v3", rollout="web-too"))


def by_template(strategy: dict[str, Any] | None = None, replicas: int = 4) -> Any:
    """The shop, with a Release that brings a whole template instead of a version."""
    asked = release()
    asked["spec"] = {"rollout": "web", "template": TEMPLATE}
    return (
        deployment(replicas=replicas),
        service(),
        ingress(),
        rollout(strategy=strategy),
        asked,
    )


def undecided(then: str) -> dict[str, Any]:
    """A canary whose only step does something by itself when nothing is decided in its time."""
    step = {"weight": 20, "minDuration": "3s", "maxDuration": "6s", "onUndecided": then}
    return canary(steps=[step])


def undecided_in_bake(_: World, found: Release) -> bool:
    """When the bake waits for a person because nothing was decided."""
    where = found.status.paused_from
    return where is not None and (where.phase, where.reason) == (Phase.BAKING, "Undecided")


def staggered(pod: Object) -> Behaviour:
    """Pods come up one after the other, as their names have it."""
    return Behaviour(startup=1.0 + 2 * (ord(pod["metadata"]["name"][-1]) % 4))


VARIETY: Final[tuple[Story, ...]] = (
    Story("a template instead of a version", Phase.SUCCEEDED, "Succeeded", cluster=by_template),
    Story(
        "a template instead of a version, bad at half",
        Phase.ROLLED_BACK,
        "VerdictFail",
        cluster=by_template,
        judge=Judge(bad_from=50),
    ),
    Story(
        "two Rollouts on one Deployment from the start",
        Phase.SUCCEEDED,
        "Succeeded",
        cluster=with_(*TOO),
    ),
    Story(
        "a second Rollout on the Deployment comes at a step",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(at_weight(20), both(create(TOO[0]), create(TOO[1]))),),
    ),
    Story(
        "a second Rollout on the Deployment comes in the bake",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(in_phase(Phase.BAKING), both(create(TOO[0]), create(TOO[1]))),),
    ),
    *(
        Story(
            f"metrics cannot be read for the whole release, then {then}",
            end,
            reason,
            judge=Judge(unreadable=True, then=then),
            waits="Error" if end is Phase.PAUSED else None,
        )
        for then, end, reason in (
            (Then.PAUSE, Phase.PAUSED, "Error"),
            (Then.ROLLBACK, Phase.ROLLED_BACK, "ProviderFailed"),
            (Then.ADVANCE, Phase.SUCCEEDED, "Succeeded"),
        )
    ),
    Story(
        "a Service that a tool narrows just before the release begins",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(in_phase(Phase.PENDING), narrow_again),),
        notes=False,
    ),
    Story("pods come up one after the other", Phase.SUCCEEDED, "Succeeded", behaviour=staggered),
    Story(
        "never decided",
        Phase.PAUSED,
        "Undecided",
        judge=Judge(takes=timedelta(days=1)),
        waits="Undecided",
    ),
    Story(
        "never decided, and a step goes on so",
        Phase.SUCCEEDED,
        "Succeeded",
        strategy=undecided("Advance"),
        judge=Judge(takes=timedelta(days=1)),
        deeds=(Deed(undecided_in_bake, act("promote")),),
        tells=("AdvancedUndecided", "Undecided"),
    ),
    Story(
        "never decided, and a step goes back so",
        Phase.ROLLED_BACK,
        "Undecided",
        strategy=undecided("Rollback"),
        judge=Judge(takes=timedelta(days=1)),
    ),
    Story(
        "no metrics for ever, then Rollback",
        Phase.ROLLED_BACK,
        "NoRequests",
        judge=Judge(silent=True, then=Then.ROLLBACK),
    ),
    Story(
        "no metrics for ever, then Advance",
        Phase.SUCCEEDED,
        "Succeeded",
        judge=Judge(silent=True, then=Then.ADVANCE),
        tells=("AdvancedWithoutData",),
    ),
    Story(
        "metrics cannot be read, rolled back by a person",
        Phase.ROLLED_BACK,
        "RolledBackByPerson",
        judge=Judge(unreadable=True),
        deeds=(Deed(waiting("Error"), act("rollback")),),
    ),
    Story(
        "a second Release of the same Rollout comes at a step",
        Phase.SUCCEEDED,
        "Succeeded",
        deeds=(Deed(at_weight(20), create(release("web-v3", "v3"))),),
    ),
    Story(
        "blue-green previewed and approved",
        Phase.SUCCEEDED,
        "Succeeded",
        strategy=PREVIEW,
        cluster=with_(service("web-preview")),
        deeds=(Deed(waiting("Approval"), act("promote")),),
    ),
    Story(
        "blue-green previewed and turned down",
        Phase.ROLLED_BACK,
        "RolledBackByPerson",
        strategy=PREVIEW,
        cluster=with_(service("web-preview")),
        deeds=(Deed(waiting("Approval"), act("rollback")),),
        candidate_traffic=False,
    ),
    Story(
        "blue-green previewed, and nobody approves",
        Phase.ROLLED_BACK,
        "ApprovalTimedOut",
        strategy=blue_green(previewService="web-preview", approval={"timeout": "10s"}),
        cluster=with_(service("web-preview")),
        candidate_traffic=False,
    ),
    *(
        Story(
            f"the owner's Deployment is applied again {where}",
            end,
            reason,
            deeds=(Deed(when, both(edit("registry.local/web:v1"), unpause)),),
        )
        for where, when, end, reason in (
            ("at a step", at_weight(20), Phase.SUCCEEDED, "Succeeded"),
            ("in the bake", in_phase(Phase.BAKING), Phase.SUCCEEDED, "Succeeded"),
            (
                "while it rolls",
                in_phase(Phase.ADOPTING, marked="templated"),
                Phase.ROLLED_BACK,
                "StableTemplateWritten",
            ),
        )
    ),
)
