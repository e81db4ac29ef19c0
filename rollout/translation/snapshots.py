"""Objects to a snapshot: discovery of what steers traffic, and everything the planner asks about.

Odd objects never raise here: they become sentences that say what is missing and how to mend it.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from rollout.engine.snapshot import RouteView, ServiceView, SideService, Snapshot
from rollout.resources.objects import annotations_of, controller_uid, labels_of, name_of, uid_of
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.release import Release, Resolved
from rollout.resources.rollout import PolicyChoice, Rollout, Strategy, Traffic
from rollout.resources.writes import Kind, Object
from rollout.traffic import ingress as routes
from rollout.traffic.notes import read_note
from rollout.traffic.registry import router
from rollout.traffic.router import Settings, Steered, View
from rollout.traffic.service import own_selector
from rollout.traffic.side import side_service_name
from rollout.translation.deployments import alive, deployment_view, field_manager
from rollout.translation.images import version_of
from rollout.translation.objects import Objects
from rollout.translation.rivals import rivals

SIDE = "rollout.dev/rollout"


@dataclass(frozen=True)
class Found:
    """What the Rollout means, found in the cluster, and what is not there."""

    services: tuple[Object, ...]
    ingresses: tuple[Object, ...]
    missing: tuple[str, ...]


def snapshot(objects: Objects) -> Snapshot:
    """Turn raw objects into all that a decision may rest on."""
    release = Release.model_validate(objects.release)
    rollout = Rollout.model_validate(objects.rollout) if objects.rollout is not None else None
    resolved = release.status.resolved
    policy, problem = _policy(objects, release, rollout)
    strategy = _strategy(release, rollout)
    traffic = resolved.traffic if resolved else (rollout.spec.traffic if rollout else Traffic())
    target = objects.named("deployments", _target_name(resolved, rollout))
    candidate = objects.named("deployments", f"{_target_name(resolved, rollout)}-candidate")
    found = _found(objects, target, strategy, traffic)
    version = version_of(release, rollout, target, resolved)
    missing = [*_missing_target(rollout, resolved, target), *found.missing, *problem]
    preview = _preview(objects, strategy)
    return Snapshot(
        release=release,
        rollout=rollout,
        strategy=strategy,
        policy=policy,
        traffic=traffic,
        target=deployment_view(objects, target) if target else None,
        candidate=deployment_view(objects, candidate) if candidate else None,
        services=tuple(_service_view(objects, s, (target, candidate)) for s in found.services),
        side_services=_side_services(objects, strategy, found.services),
        preview=_service_view(objects, preview, (target, candidate)) if preview else None,
        routes=tuple(_route_view(objects, i, traffic) for i in found.ingresses),
        rivals=rivals(objects, release, rollout, found.services) if resolved is None else (),
        missing=tuple(missing) if resolved is None else (),
        fixed_base=_fixed_base(objects, target),
        template=version.template,
        container=version.container,
        image=version.image,
        stable_image=version.stable_image,
        template_problem=version.problem,
        verdict=objects.verdict,
        stable_evidence=objects.stable_evidence,
        namespace_terminating=objects.namespace_terminating,
    )


def _target_name(resolved: Resolved | None, rollout: Rollout | None) -> str:
    if resolved is not None:
        return resolved.deployment
    return rollout.spec.target.deployment if rollout else ""


def _missing_target(
    rollout: Rollout | None, resolved: Resolved | None, target: Object | None
) -> list[str]:
    if rollout is None and resolved is None:
        return ["the Rollout that spec.rollout names does not exist: create it first"]
    if target is None:
        name = _target_name(resolved, rollout)
        return [f"spec.target.deployment: there is no Deployment {name}: create it or name another"]
    return []


def _strategy(release: Release, rollout: Rollout | None) -> Strategy:
    if release.status.resolved is not None:
        return release.status.resolved.strategy
    if release.spec.overrides is not None and release.spec.overrides.strategy is not None:
        return release.spec.overrides.strategy
    if rollout is not None:
        return rollout.spec.strategy
    return Strategy.model_validate({"canary": {}})


def _policy(
    objects: Objects, release: Release, rollout: Rollout | None
) -> tuple[RolloutPolicySpec, list[str]]:
    if release.status.resolved is not None:
        return release.status.resolved.policy, []
    choice: PolicyChoice | None = rollout.spec.policy if rollout else None
    if release.spec.overrides is not None and release.spec.overrides.policy is not None:
        choice = release.spec.overrides.policy
    if choice is None:
        return RolloutPolicySpec(), []
    if choice.inline is not None:
        return choice.inline, []
    return _named_policy(objects, str(choice.name))


def _named_policy(objects: Objects, name: str) -> tuple[RolloutPolicySpec, list[str]]:
    found = objects.named("policies", name)
    if found is None:
        there = ", ".join(map(name_of, objects.policies)) or "none"
        return RolloutPolicySpec(), [
            f"policy.name: there is no RolloutPolicy {name} in this namespace (there are: {there})"
        ]
    try:
        return RolloutPolicySpec.model_validate(found.get("spec") or {}), []
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return RolloutPolicySpec(), [f"RolloutPolicy {name}, spec.{where}: {first['msg']}"]


def _found(objects: Objects, target: Object | None, strategy: Strategy, traffic: Traffic) -> Found:
    if target is None:
        return Found((), (), ())
    in_front, missing = _services(objects, target, strategy, traffic)
    names = {name_of(service) for service in in_front}
    ingresses, lacking = _ingresses(objects, names, traffic)
    return Found(tuple(in_front), tuple(ingresses), (*missing, *lacking))


def _services(
    objects: Objects, target: Object, strategy: Strategy, traffic: Traffic
) -> tuple[list[Object], list[str]]:
    if traffic.services:
        found = [objects.named("services", name) for name in traffic.services]
        lacking = [n for n, s in zip(traffic.services, found, strict=True) if s is None]
        return [s for s in found if s is not None], [
            f"spec.traffic.services: there is no Service {name}" for name in lacking
        ]
    preview = strategy.blue_green.preview_service if strategy.blue_green else None
    labels = (target["spec"]["template"].get("metadata") or {}).get("labels") or {}
    return [
        service
        for service in objects.services
        if _selects(service, labels) and name_of(service) != preview
    ], []


def _selects(service: Object, labels: Any) -> bool:
    own = own_selector(service)
    ours = SIDE in labels_of(service)
    return bool(own) and not ours and all(labels.get(k) == v for k, v in own.items())


def _ingresses(
    objects: Objects, names: set[str], traffic: Traffic
) -> tuple[list[Object], list[str]]:
    prefix = traffic.annotation_prefix
    if traffic.ingresses:
        found = [objects.named("ingresses", name) for name in traffic.ingresses]
        lacking = [n for n, i in zip(traffic.ingresses, found, strict=True) if i is None]
        return [i for i in found if i is not None], [
            f"spec.traffic.ingresses: there is no Ingress {name}" for name in lacking
        ]
    return [
        ingress
        for ingress in objects.ingresses
        if not routes.is_canary(ingress, prefix) and names & set(routes.backends(ingress))
    ], []


def _service_view(
    objects: Objects, service: Object, owners: tuple[Object | None, ...]
) -> ServiceView:
    spec = service.get("spec") or {}
    view = _view_of(service)
    return ServiceView(
        name=name_of(service),
        uid=uid_of(service),
        selector=own_selector(service),
        type=str(spec.get("type", "ClusterIP")),
        pinned=view.hash,
        latch=view.latch,
        saved=read_note(annotations_of(service)),
        publish_not_ready=bool(spec.get("publishNotReadyAddresses", False)),
        strangers=_strangers(objects, service, owners),
        changed_by=field_manager(service, ("f:spec", "f:selector")),
    )


def _view_of(service: Object) -> View:
    return router(Kind.SERVICE, Settings("")).view(Steered(service))


def _strangers(
    objects: Objects, service: Object, owners: tuple[Object | None, ...]
) -> tuple[str, ...]:
    own = own_selector(service)
    if not own:
        return ()
    uids = {uid_of(owner) for owner in owners if owner is not None}
    sets = {uid_of(rs) for rs in objects.replica_sets if controller_uid(rs) in uids}
    return tuple(
        name_of(pod)
        for pod in objects.pods
        if alive(pod)
        and controller_uid(pod) not in sets
        and all(labels_of(pod).get(k) == v for k, v in own.items())
    )


def _side_services(
    objects: Objects, strategy: Strategy, found: tuple[Object, ...]
) -> tuple[SideService, ...]:
    if strategy.blue_green is not None and strategy.blue_green.preview_service is not None:
        return ()
    return tuple(_side_service(objects, name_of(service)) for service in found)


def _side_service(objects: Objects, service: str) -> SideService:
    name = side_service_name(service)
    side = objects.named("services", name)
    return SideService(
        name=name,
        service=service,
        exists=side is not None,
        pinned=_view_of(side).hash if side is not None else None,
    )


def _preview(objects: Objects, strategy: Strategy) -> Object | None:
    if strategy.blue_green is None or strategy.blue_green.preview_service is None:
        return None
    return objects.named("services", strategy.blue_green.preview_service)


def _route_view(objects: Objects, ingress: Object, traffic: Traffic) -> RouteView:
    prefix = traffic.annotation_prefix
    steering = router(Kind.INGRESS, Settings(prefix))
    canary = str(steering.beside(name_of(ingress)))
    view = steering.view(Steered(ingress, objects.named("ingresses", canary)))
    known = traffic.canary_annotations
    return RouteView(
        ingress=name_of(ingress),
        canary=canary,
        exists=view.ready,
        weight=view.applied,
        latch=view.latch,
        ingress_class=routes.class_of(ingress),
        class_known=routes.class_known(ingress, objects.ingress_classes)
        if known is None
        else known,
        rivals=tuple(
            name_of(other)
            for other in objects.ingresses
            if routes.is_canary(other, prefix)
            and name_of(other) != canary
            and routes.places(other) & routes.places(ingress)
        ),
    )


def _fixed_base(objects: Objects, target: Object | None) -> bool:
    """Whether an autoscaler follows something that need not fall as pods are added."""
    if target is None:
        return False
    for autoscaler in objects.autoscalers:
        spec = autoscaler.get("spec") or {}
        reference = spec.get("scaleTargetRef") or {}
        mine = (reference.get("kind"), reference.get("name")) == ("Deployment", name_of(target))
        if mine and any(_need_not_fall(metric) for metric in spec.get("metrics") or []):
            return True
    return False


def _need_not_fall(metric: Any) -> bool:
    detail = metric.get(str(metric.get("type", "")).lower()) or {}
    target = detail.get("target") or {}
    return detail.get("name") == "memory" or target.get("type") == "Value"
