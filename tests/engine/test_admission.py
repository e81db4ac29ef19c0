"""Every refusal, with the sentence that names the way out."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from rollout.engine.admission import APPROVAL, admit, objections
from rollout.resources.action import Action, ActionType
from rollout.resources.duration import seconds
from rollout.resources.release import Ending, PausedFrom, Phase, ReleaseStatus
from rollout.simulate.world import World
from rollout.translation.snapshots import snapshot
from tests import build

Objects = dict[str, dict[str, Any]]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def shop() -> Objects:
    return {body["kind"]: copy.deepcopy(body) for body in build.shop()}


def said(objects: Objects) -> str:
    world = World(tuple(objects.values()))
    found = world.objects("web-v2")
    assert found is not None
    return " | ".join(objection.message for objection in objections(snapshot(found)))


def test_nothing_stands_against_a_plain_service() -> None:
    assert said(shop()) == ""


@pytest.mark.parametrize(("weight", "replicas"), [(20, 4), (50, 1), (5, 19), (99, 1)])
def test_without_an_ingress_pods_make_every_share_that_they_can(weight: int, replicas: int) -> None:
    objects = shop()
    shared(weight, replicas=replicas)(objects)
    assert said(objects) == ""


def shared(*weights: int, replicas: int = 4, **traffic: Any) -> Callable[[Objects], None]:
    def change(objects: Objects) -> None:
        objects.pop("Ingress")
        objects["Deployment"]["spec"]["replicas"] = replicas
        objects["Rollout"]["spec"]["strategy"] = build.canary(*weights)
        objects["Rollout"]["spec"]["traffic"] = traffic

    return change


def sized_step(objects: Objects) -> None:
    shared(20)(objects)
    objects["Rollout"]["spec"]["strategy"]["canary"]["steps"][0]["replicas"] = 3


def edge_counters(objects: Objects) -> None:
    shared(20)(objects)
    provider = {"kind": "Prometheus", "address": "http://prometheus:9090"}
    inline = {"preset": "envoy", "provider": provider}
    objects["Rollout"]["spec"]["policy"] = {"inline": inline}


def in_place_recreated(objects: Objects) -> None:
    objects["Rollout"]["spec"]["adoption"] = "InPlace"
    objects["Deployment"]["spec"]["strategy"] = {"type": "Recreate"}


def in_place_cutover(objects: Objects) -> None:
    objects["Rollout"]["spec"]["adoption"] = "InPlace"
    objects["Release"]["spec"]["overrides"] = {"strategy": build.blue_green()}


def without(kind: str) -> Callable[[Objects], None]:
    return lambda objects: (objects.pop(kind), None)[1]


def publish_not_ready(objects: Objects) -> None:
    objects["Service"]["spec"]["publishNotReadyAddresses"] = True


def other_class(objects: Objects) -> None:
    objects["Ingress"]["spec"]["ingressClassName"] = "alb"


def at_zero(objects: Objects) -> None:
    objects["Deployment"]["spec"]["replicas"] = 0


def same_version(objects: Objects) -> None:
    objects["Release"]["spec"]["version"] = "v1"


def two_containers(objects: Objects) -> None:
    containers = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    containers.append({"name": "proxy", "image": "registry.local/proxy:v1"})


def no_container(objects: Objects) -> None:
    objects["Rollout"]["spec"]["target"]["container"] = "app"


def no_deployment(objects: Objects) -> None:
    objects["Rollout"]["spec"]["target"]["deployment"] = "shop"


def no_named_service(objects: Objects) -> None:
    objects["Rollout"]["spec"]["traffic"] = {"services": ["shop"]}


def no_named_ingress(objects: Objects) -> None:
    objects["Rollout"]["spec"]["traffic"] = {"ingresses": ["shop"]}


def no_policy(objects: Objects) -> None:
    objects["Rollout"]["spec"]["policy"] = {"name": "strict"}


def external(objects: Objects) -> None:
    objects["Service"]["spec"] = {"type": "ExternalName", "externalName": "example.com"}
    objects["Rollout"]["spec"]["traffic"] = {"services": ["web"]}


def no_selector(objects: Objects) -> None:
    del objects["Service"]["spec"]["selector"]
    objects["Rollout"]["spec"]["traffic"] = {"services": ["web"]}


def shared_service(objects: Objects) -> None:
    other = build.deployment("other")
    labels = {"app": "other", "part": "shop"}
    other["spec"]["template"]["metadata"]["labels"] = labels
    objects["Deployment"]["spec"]["template"]["metadata"]["labels"]["part"] = "shop"
    objects["Service"]["spec"]["selector"] = {"part": "shop"}
    objects["Other"] = other


def older_rollout(objects: Objects) -> None:
    objects["Older"] = build.rollout("a-web")


def existing_canary(objects: Objects) -> None:
    canary = build.ingress("by-hand")
    canary["metadata"]["annotations"] = {"nginx.ingress.kubernetes.io/canary": "true"}
    objects["Canary"] = canary


def service_elsewhere(objects: Objects) -> None:
    objects["Elsewhere"] = build.service("shop", {"app": "shop"})
    objects["Rollout"]["spec"]["traffic"] = {"services": ["shop"]}


def ingress_elsewhere(objects: Objects) -> None:
    objects["Elsewhere"] = build.ingress("shop", "shop")
    objects["Rollout"]["spec"]["traffic"] = {"ingresses": ["shop"]}


def no_preview(objects: Objects) -> None:
    objects["Rollout"]["spec"]["strategy"] = build.blue_green(previewService="preview")


def broken_preview(objects: Objects) -> None:
    objects["Preview"] = build.service("preview")
    del objects["Preview"]["spec"]["selector"]
    objects["Rollout"]["spec"]["strategy"] = build.blue_green(previewService="preview")


def unnamed_and_shared(objects: Objects) -> None:
    shared_service(objects)
    objects["Named"] = build.service("named")
    objects["Rollout"]["spec"]["traffic"] = {"services": ["named"]}


def namesake(objects: Objects) -> None:
    objects["Candidate"] = build.deployment("web-candidate", replicas=1)


def shipped(objects: Objects, labels: dict[str, str]) -> None:
    template = copy.deepcopy(objects["Deployment"]["spec"]["template"])
    template["metadata"]["labels"] = labels
    template["spec"]["containers"][0]["image"] = "registry.local/web:v2"
    objects["Release"]["spec"] = {"rollout": "web", "template": template}


def template_without_selector(objects: Objects) -> None:
    shipped(objects, {"name": "web"})


def template_without_service(objects: Objects) -> None:
    objects["Deployment"]["spec"]["template"]["metadata"]["labels"]["tier"] = "front"
    objects["Service"]["spec"]["selector"] = {"app": "web", "tier": "front"}
    shipped(objects, {"app": "web"})


UNREACHABLE = (
    "spec.strategy.canary.steps[0].weight: step 1 (5 %) cannot be made of 4 replicas: the least is "
    "20 % with 1 pod; raise its weight, add replicas or use an Ingress"
)


@pytest.mark.parametrize(
    ("change", "fix"),
    [
        (template_without_selector, "Deployment web selects pods by app=web, and the new template"),
        (template_without_service, "Service web selects pods by tier=front, and the new template"),
        (service_elsewhere, "Service shop does not select the target's pods"),
        (ingress_elsewhere, "Ingress shop routes to none of the Services (web): correct"),
        (no_preview, "previewService: there is no Service preview: create it"),
        (broken_preview, "Service preview has no spec.selector"),
        (unnamed_and_shared, "Service web also selects pods that the target does not own"),
        (namesake, "Deployment web-candidate exists and was not made by us"),
        (without("Service"), "no Service selects the pods of Deployment web"),
        (shared(20, shareBy="Ingress"), "create one, or leave shareBy out, or use `--strategy"),
        (
            shared(5, 50),
            UNREACHABLE,
        ),
        (shared(49, replicas=1), "step 1 (49 %) cannot be made of 1 replicas: the least is 50 %"),
        (sized_step, "spec.strategy.canary.steps[0].replicas: 3 would change the share"),
        (edge_counters, "policy.preset: envoy counts by Service"),
        (in_place_recreated, "its strategy Recreate would stop all pods first: set its"),
        (in_place_cutover, "adoption InPlace needs strategy.canary"),
        (publish_not_ready, "publishNotReadyAddresses: true"),
        (other_class, "class alb, not known to honour canary annotations"),
        (at_zero, "has 0 replicas, so nothing serves: scale it up"),
        (same_version, "registry.local/web:v1 is what serves already"),
        (two_containers, "say which container is the version (there are: web, proxy)"),
        (no_container, "there is no container app (there are: web)"),
        (no_deployment, "there is no Deployment shop: create it or name another"),
        (no_named_service, "spec.traffic.services: there is no Service shop"),
        (no_named_ingress, "spec.traffic.ingresses: there is no Ingress shop"),
        (no_policy, "there is no RolloutPolicy strict"),
        (external, "is an ExternalName and selects no pods: use another"),
        (no_selector, "has no spec.selector: give it the pods' labels"),
        (shared_service, "also selects pods that the target does not own"),
        (older_rollout, "Deployment web belongs to an older Rollout"),
        (existing_canary, "already has a canary on the same host and path (by-hand)"),
    ],
)
def test_what_stands_against_a_release_is_said_with_the_fix(
    change: Callable[[Objects], None], fix: str
) -> None:
    objects = shop()
    change(objects)
    assert fix in said(objects)


def action(type_: ActionType) -> Action:
    return Action(id="1", type=type_, by="ana", at=NOW)


def status(phase: Phase, **fields: Any) -> ReleaseStatus:
    if phase is Phase.PAUSED:
        where = PausedFrom(phase=Phase.PROGRESSING, step=0, reason="Undecided", held=seconds(1))
        fields.setdefault("paused_from", where)
    return ReleaseStatus(phase=phase, **fields)


OPEN = [phase for phase in Phase if not phase.ended]


@pytest.mark.parametrize("phase", OPEN, ids=str)
def test_a_rollback_is_possible_in_every_phase_that_has_not_ended(phase: Phase) -> None:
    assert admit(action(ActionType.ROLLBACK), status(phase)).accepted


def test_a_rollback_is_too_late_once_committed() -> None:
    answer = admit(action(ActionType.ROLLBACK), status(Phase.ADOPTING, committed=True))
    assert not answer.accepted
    assert "TooLate" in answer.message
    assert "with a kubeconfig `rollout undo` brings the earlier version back" in answer.message


@pytest.mark.parametrize("type_", list(ActionType), ids=str)
@pytest.mark.parametrize("phase", [phase for phase in Phase if phase.ended], ids=str)
def test_nothing_can_be_asked_of_an_ended_release(phase: Phase, type_: ActionType) -> None:
    answer = admit(action(type_), status(phase))
    assert not answer.accepted
    assert "start a new one" in answer.message


@pytest.mark.parametrize(
    ("type_", "phases"),
    [
        (ActionType.RESUME, {Phase.PAUSED}),
        (ActionType.PROMOTE, {Phase.PROGRESSING, Phase.BAKING, Phase.PAUSED}),
        (ActionType.PROMOTE_FULL, {Phase.PROGRESSING, Phase.BAKING, Phase.PAUSED}),
        (
            ActionType.PAUSE,
            {Phase.PREPARING, Phase.PROGRESSING, Phase.PROMOTING, Phase.BAKING, Phase.PAUSED},
        ),
    ],
)
def test_an_action_is_possible_where_it_means_something(
    type_: ActionType, phases: set[Phase]
) -> None:
    assert {p for p in OPEN if admit(action(type_), status(p)).accepted} == phases


def test_only_promote_opens_a_gate() -> None:
    where = PausedFrom(phase=Phase.PROGRESSING, step=0, reason=APPROVAL, held=seconds(1))
    paused = status(Phase.PAUSED, paused_from=where)
    refused = admit(action(ActionType.RESUME), paused)
    assert not refused.accepted
    assert "`rollout promote` gives it" in refused.message
    assert admit(action(ActionType.PROMOTE), paused).accepted


def test_a_cutover_cannot_be_paused_half_way() -> None:
    half = status(Phase.PROMOTING, marks={"cutover": NOW})
    answer = admit(action(ActionType.PAUSE), half)
    assert not answer.accepted
    assert "rollout rollback" in answer.message


def test_a_release_that_goes_back_takes_no_other_action() -> None:
    ending = Ending(phase=Phase.ROLLED_BACK, reason="x", message="y")
    answer = admit(action(ActionType.PROMOTE), status(Phase.ROLLING_BACK, ending=ending))
    assert not answer.accepted
