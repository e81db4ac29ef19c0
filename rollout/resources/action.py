"""An action: what a person asks of a running release, recorded with who, when and why."""

from enum import StrEnum

from pydantic import Field

from rollout.resources.model import Model, Moment


class ActionType(StrEnum):
    """What can be asked of a running release."""

    PROMOTE = "promote"
    PROMOTE_FULL = "promoteFull"
    PAUSE = "pause"
    RESUME = "resume"
    ROLLBACK = "rollback"

    @property
    def words(self) -> str:
        """The action as a person types it."""
        return "promote --full" if self is ActionType.PROMOTE_FULL else self.value


class Action(Model):
    """A request by a person."""

    id: str = Field(min_length=1, max_length=63, description="Unique per request.")
    type: ActionType = Field(description="What is asked.")
    by: str = Field(default="", max_length=253, description="Who asks.")
    reason: str = Field(default="", max_length=1024, description="Why it is asked.")
    at: Moment = Field(description="When it was asked.")


class ActionTaken(Model):
    """What became of an action."""

    id: str = Field(description="The action's id.")
    type: ActionType = Field(description="What was asked.")
    by: str = Field(default="", description="Who asked.")
    reason: str = Field(default="", description="Why it was asked.")
    at: Moment = Field(description="When the controller took it up.")
    accepted: bool = Field(description="Whether it was carried out.")
    message: str = Field(default="", description="What it did, or why it was refused.")
