"""What a Rollout says of itself, and which of its finished Releases are kept; pure."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from rollout.controller.observe import age, phase_of
from rollout.engine.admission import Objection, objections
from rollout.engine.earlier import needed
from rollout.engine.snapshot import Snapshot
from rollout.engine.trigger import Tending
from rollout.resources.conditions import Condition, with_condition
from rollout.resources.guarded import replace_status
from rollout.resources.image import tag_of
from rollout.resources.objects import image_of
from rollout.resources.progress import READY, Abnormal, Because, with_abnormal
from rollout.resources.release import Phase, Release
from rollout.resources.rollout import LastRelease, Rollout, RolloutStatus
from rollout.resources.words import RESTORE_FINALIZER
from rollout.resources.writes import Delete, Kind, Object, Patch, PatchType
from rollout.translation.objects import Objects
from rollout.translation.snapshots import snapshot

NOT_YET: Final = "not-yet"
"""A version that nobody has: what would stand against a release of it stands against all."""
RESTING: Final = frozenset({"", "WaitsForTemplate", "TargetLeftPaused"})
"""What a Rollout says of its target while nothing is on its way."""


def next_release(rollout: Object) -> Object:
    """Give the Release that could be made of a Rollout now, to see what would be against it."""
    metadata = rollout["metadata"]
    return {
        "apiVersion": rollout["apiVersion"],
        "kind": "Release",
        "metadata": {"name": NOT_YET, "namespace": metadata["namespace"], "uid": NOT_YET},
        "spec": {"rollout": metadata["name"], "version": NOT_YET},
    }


def rollout_status(
    rollout: Object,
    releases: Iterable[Object],
    objects: Objects,
    now: datetime,
    tending: Tending | None = None,
) -> RolloutStatus:
    """Say what runs, what users have, how the last release ended, and what is in the way."""
    known = Rollout.model_validate(rollout)
    parsed = [Release.model_validate(release) for release in releases]
    active = next((one for one in parsed if _runs(one)), None)
    ended = [one for one in parsed if one.status.phase.ended]
    last = max(ended, key=_finished, default=None)
    view = snapshot(replace(objects, release=next_release(rollout)))
    return RolloutStatus(
        observed_generation=known.metadata.generation,
        active_release=active.metadata.name if active else None,
        stable_version=_stable_version(active, view) or known.status.stable_version,
        last_release=_last(last) or known.status.last_release,
        held=known.status.held,
        rejected=known.status.rejected,
        conditions=_conditions(known, parsed, view, now, tending or Tending()),
    )


def _runs(release: Release) -> bool:
    return not release.status.phase.ended and release.status.phase is not Phase.PENDING


def _finished(release: Release) -> tuple[str, str]:
    moment = release.status.finished_at
    return (moment.isoformat() if moment else "", release.metadata.name)


def _last(release: Release | None) -> LastRelease | None:
    if release is None:
        return None
    return LastRelease(name=release.metadata.name, phase=str(release.status.phase))


def _stable_version(active: Release | None, view: Snapshot) -> str:
    """Name the version that users have: what serves, not what waits in the template."""
    resolved = active.status.resolved if active else None
    if active is not None and resolved is not None:
        return tag_of(resolved.image if active.status.committed else resolved.stable_image)
    if view.target is None:
        return ""
    serving = view.target.populated
    template = serving[0].template if len(serving) == 1 else view.target.template
    return tag_of(image_of(template, view.container))


def _conditions(
    rollout: Rollout, releases: list[Release], view: Snapshot, now: datetime, tending: Tending
) -> list[Condition]:
    active = next((one for one in releases if _runs(one)), None)
    against = None if active else _standing(view)
    if against is not None:
        reason, message = against.reason, against.message
    elif active is not None:
        reason, message = "Releasing", f"Release {active.metadata.name} is under way"
    else:
        reason = tending.reason or "Idle"
        message = tending.message or "a release can be started"
    told = with_condition(
        rollout.status.conditions,
        READY,
        holds=against is None,
        reason=reason,
        message=message,
        now=now,
    )
    because = _because(releases, tending) if against is None else None
    return with_abnormal(told, because, now)


def _because(releases: list[Release], tending: Tending) -> Because | None:
    """Say what is on its way, or what is not and waits for somebody."""
    unfinished = [one for one in releases if not one.status.phase.ended]
    if unfinished:
        return _unfinished(min(unfinished, key=lambda one: not _runs(one)))
    if tending.reason == "TemplateRejected":
        return Because(Abnormal.STALLED, tending.reason, tending.message)
    if tending.reason in RESTING:
        return None
    return Because(Abnormal.RECONCILING, tending.reason, tending.message)


def _unfinished(release: Release) -> Because:
    name, where = release.metadata.name, release.status.paused_from
    if release.status.phase is Phase.PAUSED and where is not None:
        told = f"Release {name} is paused: {where.reason}"
        return Because(Abnormal.RECONCILING, "Paused", told)
    return Because(Abnormal.RECONCILING, "Releasing", f"Release {name} is under way")


def _standing(view: Snapshot) -> Objection | None:
    """The first thing that would refuse every release, and that does not go away by itself."""
    return next((one for one in objections(view) if not one.passing), None)


def status_patch(rollout: Object, status: RolloutStatus) -> Patch | None:
    """Write a Rollout's status whole; None when it says the same already."""
    if Rollout.model_validate(rollout).status == status:
        return None
    return replace_status(Kind.ROLLOUT, rollout, status.to_json())


def beyond_history(rollout: Object, releases: Iterable[Object]) -> tuple[Delete, ...]:
    """Say which finished Releases are beyond the history that is kept, the oldest first.

    Those that tell `undo` what served before are never among them.
    """
    limit = Rollout.model_validate(rollout).spec.history_limit
    kept = [one for one in releases if "deletionTimestamp" not in one["metadata"]]
    ended = sorted((one for one in kept if phase_of(one).ended), key=_end)
    beyond = ended[: max(0, len(ended) - limit)]
    if not beyond:
        return ()
    told = needed(Release.model_validate(one) for one in ended if _succeeded(one))
    return tuple(_delete(one) for one in beyond if one["metadata"]["name"] not in told)


def _succeeded(release: Object) -> bool:
    return phase_of(release) is Phase.SUCCEEDED


def _end(release: Object) -> tuple[str, ...]:
    return (str((release.get("status") or {}).get("finishedAt", "")), *age(release))


def _delete(release: Object) -> Delete:
    metadata = release["metadata"]
    return Delete(
        Kind.RELEASE,
        str(metadata["namespace"]),
        str(metadata["name"]),
        uid=str(metadata["uid"]),
        resource_version=str(metadata["resourceVersion"]),
    )


def let_go(rollout: Object) -> bool:
    """Whether a Rollout is deleted, and nothing keeps it any more."""
    return "deletionTimestamp" in rollout["metadata"] and not _finalizers(rollout)


def left_held(rollout: Object | None, releases: Iterable[Object]) -> tuple[Patch, ...]:
    """Free what still waits for us though nothing runs: a finalizer left there blocks deletion."""
    found = tuple(releases)
    ended = [one for one in found if phase_of(one).ended]
    idle = len(ended) == len(found) and not _holds(rollout)
    held = [*ended, *([rollout] if rollout is not None and idle else [])]
    return tuple(_freed(one) for one in held if RESTORE_FINALIZER in _finalizers(one))


def _holds(rollout: Object | None) -> bool:
    """Whether the Rollout keeps its target paused: that is given back before it is let go."""
    return bool(((rollout or {}).get("status") or {}).get("held"))


def _finalizers(obj: Object) -> list[str]:
    return list(obj["metadata"].get("finalizers") or [])


def _freed(obj: Object) -> Patch:
    metadata = obj["metadata"]
    kept = [name for name in _finalizers(obj) if name != RESTORE_FINALIZER]
    body = {"metadata": {"resourceVersion": metadata["resourceVersion"], "finalizers": kept}}
    kind = Kind.RELEASE if obj["kind"] == "Release" else Kind.ROLLOUT
    return Patch(kind, str(metadata["namespace"]), str(metadata["name"]), PatchType.MERGE, body)
