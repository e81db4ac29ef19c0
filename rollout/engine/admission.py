"""May this be done now? One answer for the CLI, the API and the controller.

`objections` says why a release may not begin; `admit` says whether a person's action can be
carried out in the phase that the release is in. Each refusal names the fix.
"""

from dataclasses import dataclass
from typing import Final

from rollout.engine.facts import by_pods, in_place, same, share_base
from rollout.engine.portions import pods_for_share, rounded_share
from rollout.engine.snapshot import ServiceView, Snapshot
from rollout.resources.action import Action, ActionType
from rollout.resources.policy import Preset
from rollout.resources.release import Phase, ReleaseStatus
from rollout.resources.rollout import IN_PLACE_NEEDS_STEPS


@dataclass(frozen=True)
class Objection:
    """Why a release may not begin. `passing`: it may go away without a person."""

    reason: str
    message: str
    passing: bool = False


WAITS: Final = "WaitsForOther"
"""A release that is admitted and waits until the one that runs has made room for it."""


def objections(snapshot: Snapshot) -> list[Objection]:
    """Return everything that stands against beginning this release, the gravest first."""
    found = [*_rivals(snapshot), *_missing(snapshot), *_taken(snapshot)]
    if found or snapshot.target is None:
        return found
    lasting = [*_template(snapshot), *_labels(snapshot), *_adoption(snapshot), *_traffic(snapshot)]
    return [*lasting, *(_waits(snapshot) or _size(snapshot) or unsettled(snapshot))]


def _rivals(snapshot: Snapshot) -> list[Objection]:
    return [
        Objection("RivalExists", f"{rival.what}: {rival.kind} {rival.name}")
        for rival in snapshot.rivals
        if not rival.passing
    ]


def _waits(snapshot: Snapshot) -> list[Objection]:
    return [
        Objection(
            WAITS,
            f"{rival.kind} {rival.name} makes room first: this one takes its place "
            "(onNewRelease: Supersede)",
            passing=True,
        )
        for rival in snapshot.rivals
        if rival.passing
    ]


def _missing(snapshot: Snapshot) -> list[Objection]:
    return [Objection("NotFound", sentence) for sentence in snapshot.missing]


def _taken(snapshot: Snapshot) -> list[Objection]:
    return [
        Objection(
            "NameTaken",
            f"{name} exists and was not made by us: the release needs that name for an object of "
            "its own, so rename or delete it",
        )
        for name in snapshot.taken
    ]


def _template(snapshot: Snapshot) -> list[Objection]:
    if snapshot.template_problem:
        return [Objection("InvalidVersion", snapshot.template_problem)]
    serving = snapshot.target.populated if snapshot.target else ()
    if len(serving) == 1 and same(serving[0].template, snapshot.template):
        image = snapshot.image or "this template"
        return [
            Objection(
                "AlreadyServing",
                f"{image} is what serves already: name another version, "
                "or use `rollout restart` for new pods of the same",
            )
        ]
    return []


def _labels(snapshot: Snapshot) -> list[Objection]:
    """Say who would not find the new pods: a Service without them would send requests nowhere."""
    if snapshot.target is None or snapshot.template is None:
        return []
    labels = (snapshot.template.get("metadata") or {}).get("labels") or {}
    seekers = [(f"Deployment {snapshot.target.name}", snapshot.target.selector)]
    seekers += [(f"Service {one.name}", one.selector) for one in snapshot.every_service]
    found = []
    for who, selector in seekers:
        lacking = [f"{k}={v}" for k, v in selector.items() if labels.get(k) != v]
        if lacking:
            said = ", ".join(lacking)
            found.append(
                Objection(
                    "TemplateNotSelected",
                    f"{who} selects pods by {said}, and the new template's metadata.labels lack "
                    "that: give the template these labels",
                )
            )
    return found


def _adoption(snapshot: Snapshot) -> list[Objection]:
    if not in_place(snapshot):
        return []
    if snapshot.strategy.canary is None:
        return [Objection("InPlaceNeedsSteps", f"spec.adoption: {IN_PLACE_NEEDS_STEPS}")]
    if snapshot.target is not None and snapshot.target.recreates:
        return [
            Objection(
                "InPlaceRecreates",
                f"spec.adoption: InPlace rolls Deployment {snapshot.target.name} while it serves, "
                "and its strategy Recreate would stop all pods first: set its spec.strategy.type "
                "to RollingUpdate, or adoption to Surge",
            )
        ]
    return []


def _traffic(snapshot: Snapshot) -> list[Objection]:
    asked = snapshot.services if snapshot.fast else snapshot.every_service
    found = [o for service in asked for o in unsteerable(service)]
    if not snapshot.services:
        labels = dict(snapshot.target.labels) if snapshot.target else {}
        found.append(
            Objection(
                "NoService",
                f"no Service selects the pods of Deployment {snapshot.target_name} "
                f"(labels {labels}): create one, or name it in spec.traffic.services",
            )
        )
    if snapshot.fast:
        return found
    if by_pods(snapshot):
        found += _shares(snapshot)
    elif snapshot.strategy.canary is not None:
        found += _routes(snapshot)
    return found


def _shares(snapshot: Snapshot) -> list[Objection]:
    """Say which steps cannot be made by pods: a share is never rounded up (I2)."""
    canary, stable = snapshot.strategy.canary, share_base(snapshot, snapshot.release.status)
    if canary is None or stable == 0:
        return []
    preset, found = snapshot.policy.preset, []
    if preset is not Preset.HTTP:
        found.append(
            Objection(
                "SharedCounters",
                f"policy.preset: {preset} counts by Service, and where pods make the share both "
                "versions are behind the same one: use preset http, or let an Ingress make it",
            )
        )
    for number, step in enumerate(canary.steps):
        where = f"spec.strategy.canary.steps[{number}]"
        if step.replicas is not None:
            found.append(
                Objection(
                    "ShareIsReplicas",
                    f"{where}.replicas: {step.replicas} would change the share, which pods make "
                    "here: drop it, or let an Ingress make the share",
                )
            )
        if pods_for_share(step.weight, stable) == 0:
            least = rounded_share(1, stable)
            found.append(
                Objection(
                    "ShareUnreachable",
                    f"{where}.weight: step {number + 1} ({step.weight} %) cannot be made of "
                    f"{stable} replicas: the least is {least} % with 1 pod; raise its weight, add "
                    "replicas or use an Ingress",
                )
            )
    return found


def unsteerable(service: ServiceView) -> list[Objection]:
    """Say why a Service that selects the target's pods cannot be narrowed to one version."""
    name = f"Service {service.name}"
    if service.type == "ExternalName":
        return [
            Objection("ExternalName", f"{name} is an ExternalName and selects no pods: use another")
        ]
    if not service.selector:
        return [Objection("NoSelector", f"{name} has no spec.selector: give it the pods' labels")]
    if service.publish_not_ready:
        return [
            Objection(
                "PublishesNotReady",
                f"{name} has publishNotReadyAddresses: true and would send requests to pods that "
                "are not ready: set it to false, or give the Service another selector",
            )
        ]
    if service.strangers:
        pods = ", ".join(service.strangers[:3])
        return [
            Objection(
                "SharedService",
                f"{name} also selects pods that the target does not own ({pods}): add a label to "
                "its spec.selector that only the target's pods bear",
            )
        ]
    return []


def _routes(snapshot: Snapshot) -> list[Objection]:
    if not snapshot.routes:
        names = ", ".join(service.name for service in snapshot.services) or "the Services"
        return [
            Objection(
                "NoIngress",
                f"spec.traffic.shareBy: Ingress needs an Ingress that routes to {names}, and none "
                "does: create one, or leave shareBy out, or use `--strategy blue-green`",
            )
        ]
    found = []
    for route in snapshot.routes:
        if not route.class_known:
            found.append(
                Objection(
                    "UnknownIngressClass",
                    f"Ingress {route.ingress} has class {route.ingress_class or '(none)'}, "
                    "not known to honour canary annotations: set spec.traffic.canaryAnnotations: "
                    "true on the Rollout if its controller does, or use `--strategy blue-green`",
                )
            )
        if not route.serves:
            found.append(
                Objection(
                    "IngressElsewhere",
                    f"Ingress {route.ingress} routes to none of the Services "
                    f"({', '.join(snapshot.carriers)}): correct spec.traffic.ingresses",
                )
            )
        if route.rivals:
            found.append(
                Objection(
                    "CanaryExists",
                    f"Ingress {route.ingress} already has a canary on the same host and path "
                    f"({', '.join(route.rivals)}): delete it first",
                )
            )
    return found


def _size(snapshot: Snapshot) -> list[Objection]:
    if snapshot.target is not None and snapshot.target.replicas < 1:
        return [
            Objection(
                "TargetAtZero",
                f"Deployment {snapshot.target.name} has 0 replicas, so nothing serves: scale it up",
                passing=True,
            )
        ]
    return []


def unsettled(snapshot: Snapshot) -> list[Objection]:
    """Say what lacks for the target to run one version, whole and ready, and nothing else.

    On the fast path its pods need not be ready: a version that crashes is what is fled from.
    """
    target = snapshot.target
    if target is None:
        return []
    serving = target.populated
    alone = target.observed and len(serving) == 1
    if alone and (snapshot.fast or serving[0].ready == serving[0].alive == target.replicas):
        return []
    sizes = ", ".join(f"{p.name} {p.ready} of {p.replicas} ready" for p in serving) or "no pods yet"
    return [
        Objection(
            "TargetNotSettled",
            f"Deployment {target.name} is not settled ({sizes}): wait until its own update is over",
            passing=True,
        )
    ]


@dataclass(frozen=True)
class Admission:
    """Whether an action is carried out, and the sentence that says so."""

    accepted: bool
    message: str


APPROVAL: Final = "Approval"
"""Why a release is paused at a gate that only `promote` opens: who may resume may not ship."""

PAUSABLE = frozenset({Phase.PREPARING, Phase.PROGRESSING, Phase.PROMOTING, Phase.BAKING})
UNDO = "with a kubeconfig `rollout undo` brings the earlier version back"
"""True for all who read it: the HTTP API has no undo."""


def admit(action: Action, status: ReleaseStatus) -> Admission:
    """Say whether an action can be carried out now."""
    if status.phase.ended:
        return Admission(accepted=False, message=_ended(action, status))
    if status.phase is Phase.ROLLING_BACK:
        done = action.type is ActionType.ROLLBACK
        return Admission(accepted=done, message="the release is rolling back already")
    return _RULES[action.type](status)


def _ended(action: Action, status: ReleaseStatus) -> str:
    way = ""
    if action.type is ActionType.ROLLBACK:
        succeeded = status.phase is Phase.SUCCEEDED
        way = f"{UNDO}, or " if succeeded else "nothing is left to take back; "
    return f"the release has ended ({status.phase}): {way}start a new one"


def _rollback(status: ReleaseStatus) -> Admission:
    if status.committed:
        return Admission(
            accepted=False,
            message="TooLate: the target serves the new version and the old one is gone; "
            f"when this release has ended, {UNDO}",
        )
    return Admission(accepted=True, message="all traffic goes back to the stable version")


def _pause(status: ReleaseStatus) -> Admission:
    if status.paused_from is not None and status.paused_from.deadline is not None:
        return Admission(accepted=True, message="the approval waits for as long as you want")
    if status.phase is Phase.PAUSED:
        return Admission(accepted=True, message="it is paused already")
    if status.phase not in PAUSABLE or (
        status.marks.get("cutover") and (status.phase is Phase.PROMOTING)
    ):
        return Admission(
            accepted=False,
            message=f"no release can pause while {status.phase}: `rollout rollback` takes it back",
        )
    return Admission(accepted=True, message="it stays where it is until `rollout resume`")


def _resume(status: ReleaseStatus) -> Admission:
    if status.phase is not Phase.PAUSED:
        return Admission(accepted=False, message=f"the release is not paused, it is {status.phase}")
    if status.paused_from is not None and status.paused_from.reason == APPROVAL:
        return Admission(
            accepted=False,
            message="it waits for approval: `rollout promote` gives it, `rollout rollback` takes "
            "the release back",
        )
    return Admission(accepted=True, message="it goes on where it stopped")


def _promote(status: ReleaseStatus) -> Admission:
    where = status.paused_from.phase if status.paused_from else status.phase
    if status.paused_from is not None and where not in {Phase.PROGRESSING, Phase.BAKING}:
        return Admission(
            accepted=False,
            message=f"there is no step to pass while {where} ({status.paused_from.reason}): "
            "`rollout resume` goes on, `rollout rollback` takes it back",
        )
    if where not in {Phase.PROGRESSING, Phase.BAKING}:
        return Admission(
            accepted=False,
            message=f"there is no step to pass while {where}: it goes on by itself",
        )
    return Admission(accepted=True, message=_passing(status, where))


def _promote_full(status: ReleaseStatus) -> Admission:
    promoted = _promote(status)
    if not promoted.accepted or (status.paused_from or status).phase is Phase.BAKING:
        return promoted
    return Admission(
        accepted=True,
        message="all traffic goes to the candidate now; the bake is still judged, and `rollout "
        "promote` ends it",
    )


def _passing(status: ReleaseStatus, where: Phase) -> str:
    if status.paused_from is not None and status.paused_from.reason == APPROVAL:
        return "approved: it goes on"
    what = "the bake ends" if where is Phase.BAKING else "it goes on"
    return f"{what} without waiting for the judge"


_RULES = {
    ActionType.ROLLBACK: _rollback,
    ActionType.PAUSE: _pause,
    ActionType.RESUME: _resume,
    ActionType.PROMOTE: _promote,
    ActionType.PROMOTE_FULL: _promote_full,
}
