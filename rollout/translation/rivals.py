"""Who else wants the same objects: one active Release per Rollout, one Rollout per service (I6)."""

from datetime import datetime

from rollout.engine.admission import WAITS
from rollout.engine.snapshot import Rival
from rollout.resources.objects import is_terminating, name_of, uid_of
from rollout.resources.release import Phase, Release
from rollout.resources.rollout import Rollout
from rollout.resources.writes import Object
from rollout.translation.objects import Objects


def rivals(
    objects: Objects, release: Release, rollout: Rollout | None, services: tuple[Object, ...]
) -> tuple[Rival, ...]:
    """Name what was there first."""
    supersedes = rollout is not None and rollout.spec.supersedes
    found = [_other_release(other, release, passing=supersedes) for other in objects.releases]
    if rollout is not None:
        found += [_other_rollout(other, rollout, services) for other in objects.rollouts]
    return tuple(rival for rival in found if rival is not None)


def _other_release(other: Object, release: Release, *, passing: bool) -> Rival | None:
    phase = _phase(other)
    if not _is_sister(other, release) or phase.ended:
        return None
    if phase is Phase.PENDING and _age(other) > _own_age(release):
        return None
    what = "another release of this Rollout is active"
    return Rival("Release", name_of(other), what, passing=passing)


def _is_sister(other: Object, release: Release) -> bool:
    """Whether it is another release of the same Rollout."""
    same = (other.get("spec") or {}).get("rollout") == release.spec.rollout
    return same and uid_of(other) != release.metadata.uid


def _phase(release: Object) -> Phase:
    return Phase((release.get("status") or {}).get("phase") or Phase.PENDING)


def newer(objects: Objects, release: Release, rollout: Rollout | None) -> str:
    """Name the release that takes this one's place: admitted, and waiting for it to make room."""
    if rollout is None or not rollout.spec.supersedes:
        return ""
    pending = release.status.phase is Phase.PENDING
    waiting = [
        name_of(other)
        for other in objects.releases
        if _is_sister(other, release)
        and _waits(other)
        and not (pending and _age(other) < _own_age(release))
    ]
    return waiting[-1] if waiting else ""


def _waits(other: Object) -> bool:
    reason = (other.get("status") or {}).get("reason")
    return _phase(other) is Phase.PENDING and reason == WAITS and not is_terminating(other)


def last_end(objects: Objects, release: Release) -> datetime | None:
    """Say when the last other release of this Rollout ended."""
    statuses = [o.get("status") or {} for o in objects.releases if _is_sister(o, release)]
    ends = [str(status["finishedAt"]) for status in statuses if "finishedAt" in status]
    return max(map(datetime.fromisoformat, ends), default=None)


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
