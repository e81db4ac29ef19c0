"""Status conditions in the form of the field, and the one way to set them."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from rollout.resources.model import Model, Moment


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Model):
    """One observation about an object, as Kubernetes words it."""

    type: str = Field(description="Name of the condition, in CamelCase.")
    status: ConditionStatus = Field(description="Whether the condition holds.")
    reason: str = Field(description="One CamelCase word for programs.")
    message: str = Field(default="", description="A sentence for people.")
    last_transition_time: Moment = Field(description="When `status` last changed.")
    observed_generation: int | None = Field(
        default=None, description="Generation of the spec that this was decided on."
    )


def with_condition(
    conditions: Iterable[Condition],
    type_: str,
    *,
    holds: bool,
    reason: str,
    message: str,
    now: datetime,
) -> list[Condition]:
    """Return the conditions with one set; its transition time moves only when its status does."""
    status = ConditionStatus.TRUE if holds else ConditionStatus.FALSE
    known = {condition.type: condition for condition in conditions}
    before = known.get(type_)
    moved = before is None or before.status != status
    known[type_] = Condition(
        type=type_,
        status=status,
        reason=reason,
        message=message,
        last_transition_time=now if moved or before is None else before.last_transition_time,
    )
    return list(known.values())


def without_condition(conditions: Iterable[Condition], type_: str) -> list[Condition]:
    """Return the conditions without one that no longer says anything."""
    return [condition for condition in conditions if condition.type != type_]
