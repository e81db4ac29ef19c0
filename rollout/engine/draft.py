"""A plan in the making: what the needs of a phase write their actions, waits and words into."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from rollout.engine.phases import check_move
from rollout.engine.plan import Action, Enter, Event, Plan
from rollout.engine.snapshot import Snapshot
from rollout.engine.standing import with_standing
from rollout.resources.conditions import with_condition, without_condition
from rollout.resources.release import (
    TIMELINE_LIMIT,
    Phase,
    ReleaseStatus,
    TimelineEntry,
)


class Draft:
    """Collects one plan. `changed` tells the planner to stop and let the world answer."""

    def __init__(self, snapshot: Snapshot, now: datetime) -> None:
        self.snapshot = snapshot
        self.now = now
        self.status: ReleaseStatus = snapshot.release.status
        self.actions: list[Action] = []
        self.events: list[Event] = []
        self.look_again: datetime | None = None

    @property
    def phase(self) -> Phase:
        """The phase that the release is in at this point of the plan."""
        return self.status.phase

    def do(self, *actions: Action) -> None:
        """Append actions; they are carried out in order, and the first failure ends the pass."""
        self.actions.extend(actions)

    def update(self, **changes: Any) -> None:
        """Change fields of the status that the plan ends with."""
        self.status = self.status.model_copy(update=changes)

    def wait(self, reason: str, message: str, until: datetime | None = None) -> bool:
        """Say what is waited for, and when to look again if nothing happens. Returns False."""
        self.update(reason=reason, message=message)
        if until is not None:
            self.look_at(until)
        return False

    def look_at(self, moment: datetime) -> None:
        """Have the next pass come no later than this moment."""
        if self.look_again is None or moment < self.look_again:
            self.look_again = moment

    def tell(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Put something on the timeline and emit it as an event."""
        self.events.append(Event(reason, message, warning))
        entry = TimelineEntry(
            at=self.now,
            phase=self.phase,
            reason=reason,
            message=message,
            weight=self.status.weight.applied,
        )
        self.update(timeline=[*self.status.timeline, entry][-TIMELINE_LIMIT:])

    def enter(
        self, phase: Phase, reason: str, message: str, *, told: str = "", **changes: Any
    ) -> None:
        """Move to a phase or step, durably, before anything of it happens.

        `told` is the word on the timeline, where that is not the reason.
        """
        check_move(self.phase, phase)
        self.update(phase=phase, since=self.now, reason=reason, message=message, **changes)
        self.tell(told or reason, message, warning=phase in {Phase.ROLLING_BACK, Phase.FAILED})
        self.status = with_standing(self.status, self.now)
        self.do(Enter(self.status))

    def mark(self, name: str) -> datetime:
        """Remember when something was first read back; later calls return that moment."""
        known = self.status.marks.get(name)
        if known is not None:
            return known
        self.update(marks={**self.status.marks, name: self.now})
        return self.now

    def marked(self, name: str) -> datetime | None:
        """When something was first read back, if it was."""
        return self.status.marks.get(name)

    def unmark(self, *names: str) -> None:
        """Forget marks that no longer hold."""
        self.update(marks={k: v for k, v in self.status.marks.items() if k not in names})

    def condition(self, type_: str, *, holds: bool, reason: str, message: str) -> None:
        """Set a condition."""
        self.update(
            conditions=with_condition(
                self.status.conditions,
                type_,
                holds=holds,
                reason=reason,
                message=message,
                now=self.now,
            )
        )

    def drop_condition(self, type_: str) -> None:
        """Remove a condition that no longer says anything."""
        self.update(conditions=without_condition(self.status.conditions, type_))

    def weigh(self, asked: int) -> None:
        """Note what share is asked for, beside what was read back."""
        if self.status.weight.asked != asked:
            self.update(weight=self.status.weight.model_copy(update={"asked": asked}))

    def expired(self, since: datetime, allowed: timedelta) -> bool:
        """Whether the time allowed is over; if not, the next pass comes when it is."""
        if self.now >= since + allowed:
            return True
        self.look_at(since + allowed)
        return False

    def plan(self) -> Plan:
        """Seal the plan."""
        status = with_standing(self.status, self.now)
        return Plan(tuple(self.actions), status, tuple(self.events), self.look_again)


Need: TypeAlias = Callable[[Draft], bool]
"""One thing that a phase needs: True when it is so in the cluster. Otherwise the need has said
what it waits for, or appended the actions that bring it about, and returns False."""


def met(draft: Draft, needs: tuple[Need, ...]) -> bool:
    """Go through needs in order and stop at the first that is not true yet."""
    return all(need(draft) for need in needs)


def drained(draft: Draft, mark: str, what: str) -> bool:
    """Wait for routers and endpoints that lag, from when a move was read back."""
    since, drain = draft.mark(mark), draft.snapshot.strategy.common.drain
    if draft.expired(since, drain):
        return True
    return draft.wait("Draining", f"{what}; waiting for routers", since + drain)
