"""What is sent to the API and what it answers, as its OpenAPI document shows it."""

from enum import StrEnum
from typing import Any

from pydantic import ConfigDict, Field

from rollout.resources.action import Action, ActionType
from rollout.resources.model import Model
from rollout.resources.release import Release
from rollout.resources.rollout import Name, PolicyChoice, Rollout

REASON: Any = Field(default="", max_length=1024, description="Why; it is kept with the release.")
VERSION: Any = Field(
    min_length=1,
    max_length=512,
    pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./:@-]*$",
    description="Image tag to ship, or a whole image when it has a `/` or a digest.",
)


class StrategyName(StrEnum):
    """How traffic moves."""

    CANARY = "canary"
    BLUE_GREEN = "blue-green"


def _example(**said: Any) -> ConfigDict:
    return Model.model_config | ConfigDict(json_schema_extra={"examples": [said]})


class StartOf(Model):
    """Start a release of a Rollout."""

    model_config = _example(version="v1.2.4", reason="new prices")

    version: str = VERSION
    strategy: StrategyName | None = Field(
        default=None, description="Another strategy than the Rollout's, with its defaults."
    )
    policy: PolicyChoice | None = Field(
        default=None, description="Another policy: the name of a RolloutPolicy, or one inline."
    )
    reason: str = REASON


class Start(StartOf):
    """Start a release; a Rollout is made where the Deployment has none."""

    model_config = _example(version="v1.2.4", deployment="checkout", reason="new prices")

    rollout: Name | None = Field(
        default=None, description="The Rollout to use. Left out: the Deployment's."
    )
    deployment: Name | None = Field(
        default=None, description="The Deployment that serves. Left out: the only one there is."
    )


class Ask(Model):
    """Ask something of a running release."""

    model_config = _example(type="rollback", reason="latency in Frankfurt")

    type: ActionType = Field(description="What is asked; it is also the RBAC verb that it needs.")
    reason: str = REASON
    expected_revision: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="`metadata.resourceVersion` of the release as it was looked at: when it has "
        "changed since, nothing is done (409).",
    )


class Retry(Model):
    """Try a release again."""

    model_config = _example(reason="the flag is fixed")

    reason: str = REASON


class StartedRelease(Model):
    """A release that was created, as it was created."""

    release: Release = Field(description="The new Release, without status.")
    assumed: list[str] = Field(description="What was assumed on the way, and what may undo it.")
    message: str = Field(description="What happens now.")


class AskedRelease(Model):
    """An action that was written."""

    release: str = Field(description="Name of the release.")
    action: Action = Field(description="The action as it is recorded.")
    message: str = Field(description="What happens now.")


class ReleaseList(Model):
    """Releases, by namespace and name."""

    items: list[Release] = Field(description="The releases.")


class RolloutList(Model):
    """Rollouts, by namespace and name."""

    items: list[Rollout] = Field(description="The Rollouts.")


class Explanation(Model):
    """Why a release is where it is."""

    release: str = Field(description="Name of the release.")
    lines: list[str] = Field(
        description="Where it is, why, what it waits for and what comes next, the most important "
        "first."
    )


class Pods(Model):
    """The pods of both sides of a release."""

    release: str = Field(description="Name of the release.")
    ready: dict[str, str] = Field(
        description="How many pods are ready, by side: `stable` and `candidate`; a side without "
        "a Deployment is left out."
    )


class ProblemDocument(Model):
    """A request that was not carried out (RFC 9457)."""

    model_config = Model.model_config | ConfigDict(
        extra="allow",
        title="Problem",
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:rollout:problem:refused",
                    "title": "This cannot be done now",
                    "status": 409,
                    "detail": "checkout-v1.2.4-1f0c9: the release has ended (Succeeded): start a "
                    "new one",
                }
            ]
        },
    )

    type: str = Field(description="Which kind of problem; docs/api.md has a row for each.")
    title: str = Field(description="The kind in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong with this request, and what would be right.")
