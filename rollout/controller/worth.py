"""Whether a change of status is worth a write of its own, or may wait for the next one.

What the next controller must know is written at once: phases, steps, moments, hashes, the timeline.
Words about what is waited for, the share that is read back from the routes anyway, and the numbers
of a verdict that stays the same are for people who look: they come a moment later, together with
whatever else has changed by then. Losing them in a crash is harmless: the next pass finds them.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from rollout.analysis import verdict as analysis
from rollout.resources.release import Release, ReleaseStatus, Weight
from rollout.resources.writes import Object

WORDS_AFTER: Final = timedelta(seconds=1)
"""Most waits are over before this, and then nobody misses their words."""

NUMBERS_AFTER: Final = timedelta(seconds=2)
"""Shortest time between two writes of numbers alone: people watch them."""

READINGS: Final = 2
"""Numbers alone are worth a write after so many readings, where that takes longer."""


class Worth:
    """Remembers since when each release has had something to say that is not written yet."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._since: dict[str, datetime] = {}

    def wait(self, release: Object, status: ReleaseStatus, *, busy: bool) -> datetime | None:
        """Give the moment until which a write of this status may wait; None: write it now.

        `busy`: something else was written, so that the next pass follows at once.
        """
        before, now = Release.model_validate(release), self._now()
        uid = before.metadata.uid
        if "status" not in release or _lasting(before.status) != _lasting(status):
            self._since.pop(uid, None)
            return None
        due = self._since.setdefault(uid, now) + _patience(before.status, status)
        if now < due or busy:
            return due
        del self._since[uid]
        return None


def _lasting(status: ReleaseStatus) -> tuple[ReleaseStatus, str, str]:
    """Drop what only people read, and what the next reading tells anew."""
    bare = {"reason": "", "message": "", "verdict": None, "evidence": None, "weight": Weight()}
    verdict = status.verdict
    decided = verdict is not None and verdict.result != analysis.Verdict.UNDECIDED
    told = (verdict.result, verdict.reason) if verdict is not None and decided else ("", "")
    return (status.model_copy(update=bare), *told)


def _patience(before: ReleaseStatus, after: ReleaseStatus) -> timedelta:
    if (before.reason, before.message) != (after.reason, after.message):
        return WORDS_AFTER
    interval = after.resolved.policy.interval if after.resolved else timedelta(0)
    return max(NUMBERS_AFTER, READINGS * interval)
