"""What is written at the end of every pass, also of one that failed; and what people are told.

On success status reads what the plan says. After a failure it reads what was durable before it,
with a condition that says what failed: what the plan promised has not happened. Nothing is
written when nothing differs, and words alone may wait a moment (`worth.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import structlog
from pydantic import ValidationError

from rollout.controller.execute import CONTESTED, Outcome, named
from rollout.controller.worth import Worth
from rollout.controller.writer import LeaseLostError, Writer
from rollout.engine.plan import Event, Plan
from rollout.kube.errors import ClusterError, NotFound
from rollout.kube.events import EventLevel
from rollout.resources.conditions import Condition, ConditionStatus, with_condition
from rollout.resources.faults import sentence
from rollout.resources.guarded import replace_status
from rollout.resources.release import ReleaseStatus
from rollout.resources.writes import Kind, Object, Patch
from rollout.translation.writes import status_patch

log = structlog.get_logger(__name__)

RECONCILED: Final = "Reconciled"


class Teller(Protocol):
    """Where Events go; returns at once."""

    def record(
        self,
        regarding: Object,
        reason: str,
        note: str,
        *,
        level: EventLevel = EventLevel.NORMAL,
    ) -> None:
        """Tell about an object."""


@dataclass(frozen=True)
class Recorded:
    """What a record came to."""

    release: Object
    written: bool = False
    due: datetime | None = None
    """When what was not worth a write of its own will be."""


class Record:
    """Writes status and tells Events, under the lease."""

    def __init__(self, writer: Writer, teller: Teller, now: Callable[[], datetime]) -> None:
        self._writer = writer
        self._teller = teller
        self._now = now
        self._worth = Worth(now)

    def write(self, before: Object, plan: Plan, outcome: Outcome) -> Recorded:
        """Record a pass over a Release, which was `before` before it.

        Raises ClusterError or LeaseLostError when status cannot be written; that of a Release
        that is gone is no loss.
        """
        if outcome.contested:
            self.tell(outcome.objects.release, _durable(before, plan, outcome.objects.release))
            return Recorded(outcome.objects.release)
        if outcome.error is not None:
            self.tell(outcome.objects.release, _durable(before, plan, outcome.objects.release))
            doing = named(outcome.failed) if outcome.failed is not None else "the plan"
            return self.failed(outcome.objects.release, outcome.error, doing)
        return self._succeeded(before, plan, outcome)

    def failed(self, release: Object, error: Exception, doing: str) -> Recorded:
        """Say on a Release what failed; its status need not be one that we can read."""
        message = f"{doing}: {said(error)}"
        patch = _condition_patch(release, type(error).__name__, message, self._now())
        if patch is None:
            return Recorded(release)
        self._teller.record(release, "PassFailed", message, level=EventLevel.WARNING)
        return self._apply(release, patch)

    def _succeeded(self, before: Object, plan: Plan, outcome: Outcome) -> Recorded:
        objects, status = outcome.objects, _reconciled(plan.status, self._now())
        release = objects.release
        patch = status_patch(release, objects.parsed.status, status)
        due = None if patch is None else self._worth.wait(release, status, busy=outcome.written > 0)
        if patch is None or due is not None:
            written = Recorded(release, due=due)
        else:
            written = self._apply_or_tell(before, plan, release, patch)
        if outcome.written or written.written:
            self.tell(written.release, plan.events)
        return written

    def _apply_or_tell(self, before: Object, plan: Plan, release: Object, patch: Patch) -> Recorded:
        """Write status; when that fails, tell what was durable before: no later pass tells it."""
        try:
            return self._apply(release, patch)
        except (ClusterError, LeaseLostError):
            self.tell(release, _durable(before, plan, release))
            raise

    def _apply(self, release: Object, patch: Patch) -> Recorded:
        try:
            return Recorded(self._writer.apply(patch), written=True)
        except NotFound:
            return Recorded(release)  # deleted meanwhile: nobody is left to read it

    def tell(self, obj: Object, events: tuple[Event, ...]) -> None:
        """Tell of an object what has happened to it."""
        for event in events:
            level = EventLevel.WARNING if event.warning else EventLevel.NORMAL
            self._teller.record(obj, event.reason, event.message, level=level)
            log.info("event", reason=event.reason, message=event.message)


def said(error: Exception) -> str:
    """Word an error for people: the faults of an object that breaks its schema."""
    if isinstance(error, ValidationError):
        return sentence(error)
    return str(error) or type(error).__name__


def is_contested(error: Exception | None) -> bool:
    """Whether an error only says that somebody else wrote first."""
    return isinstance(error, CONTESTED)


def _durable(before: Object, plan: Plan, after: Object) -> tuple[Event, ...]:
    """The events whose place in the timeline was written before the pass failed."""
    old, new = _timeline(before), _timeline(after)
    fresh = {(entry["reason"], entry["message"]) for entry in new if entry not in old}
    return tuple(event for event in plan.events if (event.reason, event.message) in fresh)


def _timeline(release: Object) -> list[Any]:
    return list((release.get("status") or {}).get("timeline") or [])


def _reconciled(status: ReleaseStatus, now: datetime) -> ReleaseStatus:
    """Take an earlier failure back; a release that never failed does not mention it."""
    if not any(condition.type == RECONCILED for condition in status.conditions):
        return status
    conditions = with_condition(
        status.conditions, RECONCILED, holds=True, reason="Reconciled", message="", now=now
    )
    return status.model_copy(update={"conditions": conditions})


def _condition_patch(release: Object, reason: str, message: str, now: datetime) -> Patch | None:
    status = dict(release.get("status") or {})
    known = [one for one in status.get("conditions") or [] if one.get("type") != RECONCILED]
    before = [one for one in status.get("conditions") or [] if one.get("type") == RECONCILED]
    if before and (before[0].get("reason"), before[0].get("message")) == (reason, message):
        return None
    stands = bool(before) and before[0].get("status") == ConditionStatus.FALSE
    failed = Condition(
        type=RECONCILED,
        status=ConditionStatus.FALSE,
        reason=reason,
        message=message,
        last_transition_time=before[0]["lastTransitionTime"] if stands else now,
    )
    status["conditions"] = [*known, failed.to_json()]
    return replace_status(Kind.RELEASE, release, status)
