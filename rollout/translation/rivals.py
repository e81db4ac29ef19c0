"""Who else wants the same objects: one active Release per Rollout, one Rollout per service (I6)."""

from rollout.engine.snapshot import Rival
from rollout.resources.objects import name_of, uid_of
from rollout.resources.release import Phase, Release
from rollout.resources.rollout import Rollout
from rollout.resources.writes import Object
from rollout.translation.objects import Objects


def rivals(
    objects: Objects, release: Release, rollout: Rollout | None, services: tuple[Object, ...]
) -> tuple[Rival, ...]:
    """Name what was there first."""
    found = [_other_release(other, release) for other in objects.releases]
    if rollout is not None:
        found += [_other_rollout(other, rollout, services) for other in objects.rollouts]
    return tuple(rival for rival in found if rival is not None)


def _other_release(other: Object, release: Release) -> Rival | None:
    status = other.get("status") or {}
    phase = Phase(status.get("phase") or Phase.PENDING)
    mine = release.metadata
    same = (other.get("spec") or {}).get("rollout") == release.spec.rollout
    if uid_of(other) == mine.uid or not same or phase.ended:
        return None
    if phase is Phase.PENDING and _age(other) > _own_age(release):
        return None
    return Rival("Release", name_of(other), "another release of this Rollout is active")


def _age(obj: Object) -> tuple[str, str]:
    return str(obj["metadata"].get("creationTimestamp", "")), name_of(obj)


def _own_age(release: Release) -> tuple[str, str]:
    created = release.metadata.creation_timestamp
    return created.strftime("%Y-%m-%dT%H:%M:%SZ") if created else "", release.metadata.name


def _other_rollout(other: Object, rollout: Rollout, services: tuple[Object, ...]) -> Rival | None:
    mine = rollout.metadata
    if uid_of(other) == mine.uid or "deletionTimestamp" in other["metadata"]:
        return None
    created = (
        mine.creation_timestamp.strftime("%Y-%m-%dT%H:%M:%SZ") if (mine.creation_timestamp) else ""
    )
    if _age(other) > (created, mine.name):
        return None
    spec = other.get("spec") or {}
    if (spec.get("target") or {}).get("deployment") == rollout.spec.target.deployment:
        name = rollout.spec.target.deployment
        return Rival("Rollout", name_of(other), f"Deployment {name} belongs to an older Rollout")
    named = set((spec.get("traffic") or {}).get("services") or [])
    shared = named & {name_of(service) for service in services}
    if shared:
        what = f"Service {min(shared)} belongs to an older Rollout"
        return Rival("Rollout", name_of(other), what)
    return None
