"""Objects to a snapshot: everything that the planner asks about, in one value.

Odd objects never raise here: they become sentences that say what is missing and how to mend it.
"""

from dataclasses import replace

from rollout.engine.snapshot import DeploymentView, Snapshot
from rollout.resources.release import Release, Resolved
from rollout.resources.rollout import Adoption, Rollout, Strategy, Traffic
from rollout.translation.autoscalers import fixed_base
from rollout.translation.deployments import deployment_view
from rollout.translation.discovery import discover, shared
from rollout.translation.images import version_of
from rollout.translation.objects import Objects
from rollout.translation.policies import policy_of
from rollout.translation.rivals import last_end, newer, rivals
from rollout.translation.views import Scene, route_view, service_view, side_services, taken


def snapshot(objects: Objects) -> Snapshot:
    """Turn raw objects into all that a decision may rest on."""
    release = objects.parsed
    rollout = Rollout.model_validate(objects.rollout) if objects.rollout is not None else None
    resolved = release.status.resolved
    policy, problem = policy_of(objects, release, rollout)
    scene = scene_of(objects, release, rollout)
    target, found, preview = scene.target, scene.found, scene.preview
    version = version_of(release, rollout, target, resolved)
    missing = (*_missing_target(rollout, scene), *found.missing, *problem, *_no_preview(scene))
    return Snapshot(
        release=release,
        rollout=rollout,
        strategy=scene.strategy,
        policy=policy,
        traffic=scene.traffic,
        adoption=_adoption(release, rollout),
        target=deployment_view(objects, target) if target else None,
        candidate=_candidate_view(scene),
        services=tuple(service_view(scene, service) for service in found.services),
        carriers=found.carriers,
        side_services=side_services(scene),
        preview=service_view(scene, preview) if preview else None,
        routes=tuple(route_view(scene, ingress) for ingress in found.ingresses),
        rivals=rivals(objects, release, rollout, found.services) if resolved is None else (),
        missing=missing if resolved is None else (),
        taken=taken(scene),
        fixed_base=fixed_base(objects, target),
        template=version.template,
        container=version.container,
        image=version.image,
        template_problem=version.problem,
        verdict=objects.verdict,
        namespace_terminating=objects.namespace_terminating,
        superseded_by=newer(objects, release, rollout),
        quiet_since=last_end(objects, release),
    )


def scene_of(objects: Objects, release: Release, rollout: Rollout | None) -> Scene:
    """Find the objects that a release is about."""
    resolved = release.status.resolved
    strategy = _strategy(release, rollout)
    traffic = resolved.traffic if resolved else (rollout.spec.traffic if rollout else Traffic())
    name = _target_name(resolved, rollout)
    target = objects.named("deployments", name)
    found = discover(objects, target, resolved, strategy, traffic)
    traffic, found = shared(strategy, traffic, found)
    return Scene(objects, release, strategy, traffic, found, target, name)


def _candidate_view(scene: Scene) -> DeploymentView | None:
    candidate = scene.candidate
    if candidate is None:
        return None
    return replace(deployment_view(scene.objects, candidate), left=scene.left(candidate))


def _no_preview(scene: Scene) -> tuple[str, ...]:
    blue_green = scene.strategy.blue_green
    if blue_green is None or blue_green.preview_service is None or scene.preview is not None:
        return ()
    name = blue_green.preview_service
    return (f"spec.strategy.blueGreen.previewService: there is no Service {name}: create it",)


def _missing_target(rollout: Rollout | None, scene: Scene) -> tuple[str, ...]:
    if scene.target is not None:
        return ()
    if rollout is None:
        return ("the Rollout that spec.rollout names does not exist: create it first",)
    name = scene.target_name
    return (f"spec.target.deployment: there is no Deployment {name}: create it or name another",)


def _target_name(resolved: Resolved | None, rollout: Rollout | None) -> str:
    if resolved is not None:
        return resolved.deployment
    return rollout.spec.target.deployment if rollout else ""


def _adoption(release: Release, rollout: Rollout | None) -> Adoption:
    """Say how the target takes the version; on the fast path always from a whole candidate."""
    if release.status.resolved is not None:
        return release.status.resolved.adoption
    return rollout.spec.adoption if rollout and not release.spec.fast else Adoption.SURGE


def _strategy(release: Release, rollout: Rollout | None) -> Strategy:
    if release.status.resolved is not None:
        return release.status.resolved.strategy
    if release.spec.overrides is not None and release.spec.overrides.strategy is not None:
        return release.spec.overrides.strategy
    if rollout is not None:
        return rollout.spec.strategy
    return Strategy.model_validate({"canary": {}})
