"""What is written at the end of every pass: status where it differs, events, and the history."""

from datetime import datetime, timedelta
from typing import Any, Final

from rollout.controller.execute import Outcome
from rollout.engine.plan import Plan
from rollout.resources.conditions import Condition, with_condition, without_condition
from rollout.resources.release import Release, ReleaseStatus
from rollout.resources.rollout import LastRelease, Rollout, RolloutStatus
from rollout.resources.writes import Delete, Kind, Object, Patch, PatchType
from rollout.translation.objects import Objects

RECONCILED: Final = "Reconciled"
NUMBERS_EVERY: Final = timedelta(seconds=5)
"""How often the numbers of a verdict are written when nothing else has changed."""


def status_after(
    outcome: Outcome, plan: Plan, evidence: dict[str, Any] | None, now: datetime
) -> ReleaseStatus | None:
    """Return the status that a pass ends with; None when nothing worth a write has changed."""
    before = Release.model_validate(outcome.objects.release).status
    status = _failed(before, outcome, now) if outcome.error else _went_well(plan.status)
    if not _differs(before, status):
        return None
    return status.model_copy(update={"evidence": evidence or before.evidence})


def _failed(before: ReleaseStatus, outcome: Outcome, now: datetime) -> ReleaseStatus:
    message = f"{type(outcome.failed).__name__}: {outcome.error}"
    conditions = with_condition(
        before.conditions, RECONCILED, holds=False, reason="WriteFailed", message=message, now=now
    )
    return before.model_copy(update={"conditions": conditions})


def _went_well(status: ReleaseStatus) -> ReleaseStatus:
    return status.model_copy(
        update={"conditions": without_condition(status.conditions, RECONCILED)}
    )


def _differs(before: ReleaseStatus, after: ReleaseStatus) -> bool:
    if _without_numbers(before) != _without_numbers(after):
        return True
    if before.verdict is None or after.verdict is None:
        return False
    return after.verdict.at - before.verdict.at >= NUMBERS_EVERY


def _without_numbers(status: ReleaseStatus) -> Any:
    verdict = status.verdict
    told = (verdict.result, verdict.reason) if verdict is not None else None
    changes = {"verdict": None, "evidence": None, "message": _told(status)}
    return status.model_copy(update=changes), told


def _told(status: ReleaseStatus) -> str:
    """A sentence that only repeats the verdict's numbers is no news."""
    verdict = status.verdict
    said = verdict.message if verdict is not None else ""
    return status.message.replace(said, "") if said else status.message


def rollout_status(objects: Objects, stable_version: str | None) -> RolloutStatus | None:
    """Return what a Rollout should say of its releases; None when it says so already."""
    if objects.rollout is None:
        return None
    rollout = Rollout.model_validate(objects.rollout)
    mine = [
        Release.model_validate(r)
        for r in _with(objects.releases, objects.release)
        if r["spec"]["rollout"] == rollout.metadata.name
    ]
    active = [r for r in mine if not r.status.phase.ended and r.status.resolved is not None]
    ended = sorted((r for r in mine if r.status.finished_at), key=_finished)
    last = ended[-1] if ended else None
    wanted = RolloutStatus(
        observed_generation=rollout.metadata.generation,
        active_release=active[0].metadata.name if active else None,
        stable_version=stable_version or rollout.status.stable_version,
        last_release=LastRelease(name=last.metadata.name, phase=str(last.status.phase))
        if last
        else rollout.status.last_release,
        conditions=_conditions(objects, rollout),
    )
    return None if wanted == rollout.status else wanted


def _conditions(objects: Objects, rollout: Rollout) -> list[Condition]:
    return rollout.status.conditions if objects.rollout is not None else []


def _finished(release: Release) -> datetime:
    moment = release.status.finished_at
    if moment is None:
        raise ValueError("only ended releases are ordered by their end")
    return moment


def _with(releases: tuple[Object, ...], one: Object) -> tuple[Object, ...]:
    name = one["metadata"]["name"]
    return (*(r for r in releases if r["metadata"]["name"] != name), one)


def rollout_patch(rollout: Object, status: RolloutStatus) -> Patch:
    """Write a Rollout's status whole."""
    metadata = rollout["metadata"]
    body = [
        {
            "op": "replace",
            "path": "/metadata/resourceVersion",
            "value": metadata["resourceVersion"],
        },
        {"op": "add", "path": "/status", "value": status.to_json()},
    ]
    space, name = str(metadata["namespace"]), str(metadata["name"])
    return Patch(Kind.ROLLOUT, space, name, PatchType.JSON, body, "status")


def too_old(objects: Objects) -> list[Delete]:
    """Say which ended releases are beyond the history that the Rollout keeps, oldest first."""
    if objects.rollout is None:
        return []
    limit = Rollout.model_validate(objects.rollout).spec.history_limit
    name = objects.rollout["metadata"]["name"]
    mine = (r for r in objects.releases if r["spec"]["rollout"] == name)
    ended = [r for r in map(Release.model_validate, mine) if r.status.finished_at is not None]
    excess = sorted(ended, key=_finished)[: max(len(ended) - limit, 0)]
    return [
        Delete(Kind.RELEASE, r.metadata.namespace, r.metadata.name, uid=r.metadata.uid)
        for r in excess
        if r.metadata.deletion_timestamp is None
    ]
