"""Where an object is, in the conditions that tools wait for: those of kstatus, as Flux reads them.

`Ready` is there always. `Reconciling` (it is on its way) and `Stalled` (it will not get there by
itself) are there only while they hold, and never together.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from rollout.resources.conditions import Condition, with_condition, without_condition

READY: Final = "Ready"


class Abnormal(StrEnum):
    """Conditions that are there only while they hold."""

    RECONCILING = "Reconciling"
    STALLED = "Stalled"


@dataclass(frozen=True)
class Because:
    """A condition that holds, with a word and a sentence why."""

    abnormal: Abnormal
    reason: str
    message: str


def with_abnormal(
    conditions: Iterable[Condition], because: Because | None, now: datetime
) -> list[Condition]:
    """Return the conditions with this one of the two, and without the other; None: with neither."""
    kept = list(conditions)
    for abnormal in Abnormal:
        if because is None or because.abnormal is not abnormal:
            kept = without_condition(kept, abnormal)
    if because is None:
        return kept
    return with_condition(
        kept,
        because.abnormal,
        holds=True,
        reason=because.reason,
        message=because.message,
        now=now,
    )
