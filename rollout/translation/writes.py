"""Actions to writes: what the planner asked for, in the words of the Kubernetes API.

Writing the same action twice changes nothing (I7): when the objects are so already, there is no
write. Every patch and delete carries what it was decided on.
"""

from collections.abc import Mapping
from typing import Any, assert_never

from rollout.engine import plan as actions
from rollout.resources.guarded import delete, merge, replace_status
from rollout.resources.names import beside
from rollout.resources.objects import annotations_of, labels_of, name_of, uid_of
from rollout.resources.release import Release, ReleaseStatus
from rollout.resources.rollout import Rollout, Traffic
from rollout.resources.words import EPOCH, LATCH, POD_TEMPLATE_HASH, RESTORE_FINALIZER
from rollout.resources.writes import Kind, Object, Patch, Write
from rollout.traffic.registry import Means, router
from rollout.traffic.router import Settings, Split, Steered, our_labels
from rollout.traffic.side import create_side_service, side_service_name
from rollout.translation import candidates, targets, tending
from rollout.translation.deployments import alive, ready
from rollout.translation.epochs import unstamped
from rollout.translation.objects import Objects
from rollout.translation.ownership import Owner, made_by


def writes(action: actions.Action, objects: Objects) -> tuple[Write, ...]:
    """Say which writes carry an action out; none when the objects are so already."""
    if isinstance(action, actions.StatusAction):
        return _of_status(action, objects)
    if isinstance(action, actions.RemoveFinalizer):
        return _last_finalizer(action, objects)
    if isinstance(action, actions.TrafficAction):
        return _of_traffic(action, objects)
    return _as_tuple(_of_one(action, objects))


def _of_one(action: actions.SingleAction, objects: Objects) -> Write | None:
    """Say the one write of an action that has no more."""
    if isinstance(action, actions.AddFinalizer):
        return _finalizer(objects, action.kind, action.name, wanted=True)
    if isinstance(action, actions.TargetAction):
        return _of_target(action, objects)
    if isinstance(action, actions.CandidateAction):
        return _of_candidate(action, objects)
    return _of_trigger(action, objects)


def _as_tuple(write: Write | None) -> tuple[Write, ...]:
    return () if write is None else (write,)


def _of_status(action: actions.StatusAction, objects: Objects) -> tuple[Write, ...]:
    patch = status_patch(objects.release, objects.parsed.status, action.status)
    left = unstamped(objects) if action.status.phase.ended else ()
    return (*left, *_as_tuple(patch))


def _last_finalizer(action: actions.RemoveFinalizer, objects: Objects) -> tuple[Write, ...]:
    """Nothing of ours is left on an object once the server may forget the release."""
    patch = _finalizer(objects, action.kind, action.name, wanted=False)
    if patch is None or objects.namespace_terminating:
        return _as_tuple(patch)
    return (*(left for left in unstamped(objects) if left.kind is not action.kind), patch)


def _of_traffic(action: actions.TrafficAction, objects: Objects) -> tuple[Write, ...]:
    match action:
        case actions.CreateSideService() | actions.DeleteSideService():
            return _of_side_service(action, objects)
        case actions.Select() | actions.Widen() | actions.RestoreService():
            return _of_service(action, objects)
        case actions.CreateRoute() | actions.SetWeight() | actions.DeleteRoute():
            return _of_route(action, objects)
        case _:
            assert_never(action)


def status_patch(release: Object, known: ReleaseStatus, status: ReleaseStatus) -> Patch | None:
    """Write the status whole; None when the one that is known says the same already."""
    if known == status and "status" in release:
        return None
    return replace_status(Kind.RELEASE, release, status.to_json())


def _finalizer(objects: Objects, kind: Kind, name: str, *, wanted: bool) -> Write | None:
    candidates_ = [objects.release, *([objects.rollout] if objects.rollout else [])]
    obj = next((o for o in candidates_ if o["kind"] == kind.value.kind), None)
    if obj is None or name_of(obj) != name:
        return None
    present: list[str] = list(obj["metadata"].get("finalizers") or [])
    if (RESTORE_FINALIZER in present) == wanted:
        return None
    kept = [f for f in present if f != RESTORE_FINALIZER]
    finalizers = [*kept, RESTORE_FINALIZER] if wanted else kept
    marks = {EPOCH: None} if not wanted and EPOCH in annotations_of(obj) else {}
    return merge(kind, obj, {"metadata": {"finalizers": finalizers}}, marks)


def _of_target(action: actions.TargetAction, objects: Objects) -> Write | None:
    target = objects.named("deployments", _target_name(objects))
    if target is None:
        return None
    match action:
        case actions.PauseTarget():
            return targets.pause(target, _saved(objects, "Deployment").get(name_of(target)))
        case actions.UnpauseTarget():
            return targets.unpause(target)
        case actions.WriteTemplate(template) | actions.ReturnTemplate(template):
            paused = isinstance(action, actions.ReturnTemplate)
            return targets.write_template(target, template, paused=paused)
        case actions.RestoreTarget(keep_paused):
            saved = _saved(objects, "Deployment").get(name_of(target))
            return targets.restore(target, keep_paused=keep_paused, saved=saved)
        case actions.LatchTarget():
            return _latch(Kind.DEPLOYMENT, target, objects)
        case _:
            assert_never(action)


def _of_trigger(action: actions.TriggerAction, objects: Objects) -> Write | None:
    rollout = objects.rollout
    if rollout is None:
        return None
    match action:
        case actions.WriteRollout(held, rejected):
            known = Rollout.model_validate(rollout).status
            status = known.model_copy(update={"held": held, "rejected": rejected})
            same = status == known
            return None if same else replace_status(Kind.ROLLOUT, rollout, status.to_json())
        case actions.CreateRelease():
            there = objects.named("releases", action.name) is not None
            return None if there else tending.create(action, rollout)
        case _:
            assert_never(action)


def _latch(kind: Kind, obj: Object, objects: Objects) -> Patch | None:
    uid = uid_of(objects.release)
    return None if annotations_of(obj).get(LATCH) == uid else merge(kind, obj, {}, {LATCH: uid})


def _of_candidate(action: actions.CandidateAction, objects: Objects) -> Write | None:
    target_name = _target_name(objects)
    candidate = _ours(objects, "deployments", beside(target_name))
    if isinstance(action, actions.CreateCandidate):
        target = objects.named("deployments", target_name)
        if candidate is not None or target is None:
            return None
        return candidates.create(target, action.template, _labels(objects))
    if candidate is None:
        return None
    match action:
        case actions.ScaleCandidate(replicas):
            same = candidate["spec"].get("replicas") == replicas
            body = {"spec": {"replicas": replicas}}
            return None if same else merge(Kind.DEPLOYMENT, candidate, body)
        case actions.DeleteCandidate():
            return delete(Kind.DEPLOYMENT, candidate)
        case actions.LatchCandidate():
            return _latch(Kind.DEPLOYMENT, candidate, objects)
        case _:
            assert_never(action)


def _of_service(
    action: actions.Select | actions.Widen | actions.RestoreService, objects: Objects
) -> tuple[Write, ...]:
    service = objects.named("services", action.service)
    settings = _settings(objects)
    steering = router(Means.SERVICE, settings)
    match action:
        case actions.Widen(hash=hash_, weight=weight):
            sharing = router(Means.REPLICAS, settings)
            return sharing.patches(Steered(service), Split(hash_, weight))
        case actions.Select(hash=hash_, latch=latch):
            split = Split(hash_, latch=uid_of(objects.release) if latch else None)
            return steering.patches(Steered(service), split)
        case actions.RestoreService():
            return steering.restore(Steered(service))
        case _:
            assert_never(action)


def _of_route(
    action: actions.CreateRoute | actions.SetWeight | actions.DeleteRoute, objects: Objects
) -> tuple[Write, ...]:
    own = objects.named("ingresses", action.ingress)
    steering = router(Means.INGRESS, _settings(objects))
    route = _ours(objects, "ingresses", steering.beside(action.ingress) or "")
    match action:
        case actions.CreateRoute():
            return steering.prepare(Steered(own, route))
        case actions.SetWeight(weight=weight, latch=latch):
            split = Split("", weight, uid_of(objects.release) if latch else None)
            return steering.patches(Steered(own, route), split)
        case actions.DeleteRoute():
            return steering.restore(Steered(own, route))
        case _:
            assert_never(action)


def _settings(objects: Objects) -> Settings:
    release = objects.parsed
    traffic = release.status.resolved.traffic if release.status.resolved else Traffic()
    return Settings(
        traffic.annotation_prefix,
        traffic.services,
        _labels(objects),
        _hashes(objects),
        release.status.hashes.stable or "",
        _ready(objects, release),
        _saved(objects, "Service"),
    )


def _ready(objects: Objects, release: Release) -> dict[str, int]:
    """Count the ready pods of both versions, by hash."""
    hashes = release.status.hashes
    return {
        hash_: sum(
            alive(pod) and ready(pod)
            for pod in objects.pods
            if labels_of(pod).get(POD_TEMPLATE_HASH) == hash_
        )
        for hash_ in (hashes.stable, hashes.candidate)
        if hash_ is not None
    }


def _saved(objects: Objects, kind: str) -> dict[str, Mapping[str, Any]]:
    """Read what the release wrote down of the user's objects before its first change (I5)."""
    restore = objects.parsed.status.restore
    return {saved.name: saved.fields for saved in restore if saved.kind == kind}


def _ours(objects: Objects, what: str, name: str) -> Object | None:
    """Find an object that bears a name of ours, unless it is somebody else's."""
    found = objects.named(what, name)
    if found is None or made_by(found, objects.parsed) is Owner.SOMEBODY:
        return None
    return found


def _hashes(objects: Objects) -> set[str]:
    """Return every hash that this release may have put into a selector."""
    ours = {_target_name(objects), beside(_target_name(objects))}
    owners = {uid_of(d) for d in objects.deployments if name_of(d) in ours}
    known = objects.parsed.status.hashes
    found = {known.stable, known.candidate, known.adopted} - {None}
    for replica_set in objects.replica_sets:
        references = replica_set["metadata"].get("ownerReferences") or []
        if any(r["uid"] in owners for r in references):
            found.add(replica_set["metadata"].get("labels", {}).get("pod-template-hash"))
    return {hash_ for hash_ in found if hash_ is not None}


def _of_side_service(
    action: actions.CreateSideService | actions.DeleteSideService, objects: Objects
) -> tuple[Write, ...]:
    side = _ours(objects, "services", side_service_name(action.service))
    if isinstance(action, actions.DeleteSideService):
        return () if side is None else _as_tuple(delete(Kind.SERVICE, side))
    service = objects.named("services", action.service)
    if side is not None or service is None:
        return ()
    return (create_side_service(service, action.hash, _labels(objects)),)


def _target_name(objects: Objects) -> str:
    resolved = objects.parsed.status.resolved
    if resolved is not None:
        return resolved.deployment
    return str(objects.rollout["spec"]["target"]["deployment"]) if objects.rollout else ""


def _labels(objects: Objects) -> dict[str, str]:
    release = objects.release
    return our_labels(str(release["spec"]["rollout"]), name_of(release), uid_of(release))
