"""Rollout: one per service, long-lived; which Deployment, which traffic, which strategy."""

from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from rollout.resources.conditions import Condition
from rollout.resources.duration import Duration, seconds
from rollout.resources.model import Model, ObjectMeta, rules
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.words import API_VERSION

Name = Annotated[
    str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
]


def _replicas(value: Any) -> Any:
    if isinstance(value, str) or type(value) is int:
        return str(value)
    raise ValueError(f"{value!r} is no size: write a count such as 3, or a share such as 50%")


Replicas = Annotated[
    str,
    BeforeValidator(_replicas),
    Field(pattern=r"^([0-9]+|[0-9]+%)$"),
    WithJsonSchema({"x-kubernetes-int-or-string": True, "pattern": "^([0-9]+|[0-9]+%)$"}),
]
"""A number of pods: a count (3) or a share ("50%")."""


class OnUndecided(StrEnum):
    """What a step does when `maxDuration` is over without a clear verdict."""

    HOLD = "Hold"
    ADVANCE = "Advance"
    ROLLBACK = "Rollback"


class OnTimeout(StrEnum):
    """What an approval does when nobody has answered."""

    ADVANCE = "Advance"
    ROLLBACK = "Rollback"


class Approval(Model):
    """A gate that waits for a person."""

    timeout: Duration = Field(default=seconds(86400), description="How long it waits.")
    on_timeout: OnTimeout = Field(
        default=OnTimeout.ROLLBACK, description="What happens when nobody has answered by then."
    )


class CanaryStep(Model):
    """A weight to reach, hold and judge."""

    model_config = Model.model_config | {
        "json_schema_extra": rules(
            (
                (
                    "!has(self.maxDuration) || !has(self.minDuration) || "
                    "duration(self.maxDuration) >= duration(self.minDuration)"
                ),
                "maxDuration must not be shorter than minDuration: raise maxDuration",
            )
        )
    }

    weight: int = Field(ge=1, le=99, description="Share of requests in percent.")
    min_duration: Duration = Field(
        default=seconds(60), description="Shortest time at this weight, however good it looks."
    )
    max_duration: Duration | None = Field(
        default=None,
        description="Longest time without a clear verdict; then `onUndecided`. "
        "Left out: ten times minDuration.",
    )
    on_undecided: OnUndecided = Field(
        default=OnUndecided.HOLD,
        description="What then: Hold pauses for a person; Advance and Rollback need none.",
    )
    approval: Approval | None = Field(
        default=None, description="Wait for a person after this step has passed."
    )
    replicas: Replicas | None = Field(
        default=None,
        description="Candidate pods at this step: a count or a percentage of the target's "
        "replicas. Left out: the share that matches the weight, rounded up.",
    )

    @model_validator(mode="after")
    def _ordered(self) -> "CanaryStep":
        if self.max_duration is not None and self.max_duration < self.min_duration:
            raise ValueError("maxDuration must not be shorter than minDuration: raise maxDuration")
        return self


class StrategyBase(Model):
    """What both strategies share."""

    bake: Duration = Field(
        default=seconds(300),
        description="How long both versions stay up after the cutover, with rollback one write.",
    )
    progress_deadline: Duration = Field(
        default=seconds(600),
        description="Longest time in which the candidate must become ready for what comes next.",
    )
    drain: Duration = Field(
        default=seconds(5),
        description="Wait after each move of traffic, for routers and endpoints that lag.",
    )


def default_steps() -> list[CanaryStep]:
    """5, 20 and 50 percent."""
    return [CanaryStep(weight=weight) for weight in (5, 20, 50)]


class Canary(StrategyBase):
    """Shift requests to the candidate step by step."""

    model_config = Model.model_config | {
        "json_schema_extra": rules(
            (
                (
                    "self.steps.all(a, self.steps.filter(b, b.weight == a.weight).size() == 1) && "
                    "self.steps.map(s, s.weight).isSorted()"
                ),
                "steps must have rising weights: sort them, and drop equal ones",
            )
        )
    }

    steps: list[CanaryStep] = Field(
        default=default_steps(),
        min_length=1,
        max_length=20,
        description="Weights in rising order. Default: 5, 20, 50.",
    )

    @model_validator(mode="after")
    def _rising(self) -> "Canary":
        weights = [step.weight for step in self.steps]
        if weights != sorted(set(weights)):
            raise ValueError(f"steps must have rising weights, not {weights}: sort them")
        return self


class BlueGreen(StrategyBase):
    """Bring the candidate up beside the stable version, then switch all requests at once."""

    preview_service: Name | None = Field(
        default=None,
        description="An existing Service that shall select the candidate while the release runs. "
        "Left out: a Service of its own is made, named after the Service with `-candidate`.",
    )
    approval: Approval | None = Field(
        default=None, description="Wait for a person before the cutover."
    )
    preview_replicas: int | None = Field(
        default=None,
        ge=1,
        description="Candidate pods before the cutover. Left out: the target's replicas.",
    )


class Strategy(Model):
    """How traffic moves. Exactly one."""

    model_config = Model.model_config | {
        "json_schema_extra": rules(
            (
                "has(self.canary) != has(self.blueGreen)",
                "set exactly one of canary and blueGreen",
            )
        )
    }

    canary: Canary | None = Field(default=None, description="Step by step, by weight.")
    blue_green: BlueGreen | None = Field(default=None, description="All at once, after a preview.")

    @model_validator(mode="after")
    def _one(self) -> "Strategy":
        if (self.canary is None) == (self.blue_green is None):
            raise ValueError("set exactly one of canary and blueGreen")
        return self

    @property
    def common(self) -> StrategyBase:
        """The part that both strategies have."""
        chosen = self.canary or self.blue_green
        assert chosen is not None  # noqa: S101 - the validator above has seen to it
        return chosen

    @property
    def name(self) -> str:
        """`canary` or `blue-green`, as people type it."""
        return "canary" if self.canary else "blue-green"


class ShareBy(StrEnum):
    """What makes the candidate's share of requests."""

    INGRESS = "Ingress"
    REPLICAS = "Replicas"


class Adoption(StrEnum):
    """How the target takes the new version."""

    SURGE = "Surge"
    IN_PLACE = "InPlace"


class Target(Model):
    """The Deployment that serves."""

    deployment: Name = Field(description="Name of the Deployment, in the Rollout's namespace.")
    container: Name | None = Field(
        default=None,
        description="Container whose image is the version. Left out: the only one there is.",
    )


class Traffic(Model):
    """The objects that steer requests. What is left out is discovered."""

    model_config = Model.model_config | {
        "json_schema_extra": rules(
            (
                (
                    "!has(self.shareBy) || self.shareBy != 'Replicas' || "
                    "!has(self.ingresses) || self.ingresses.size() == 0"
                ),
                "shareBy Replicas weights no Ingress: drop ingresses, or set shareBy to Ingress",
            )
        )
    }

    share_by: ShareBy | None = Field(
        default=None,
        description="What makes a canary's share. Ingress: a canary Ingress with a weight. "
        "Replicas: the Services select both versions and the number of candidate pods is the "
        "share, rounded down. Left out: Ingress where one routes to the Services, else Replicas.",
    )
    services: list[Name] = Field(
        default_factory=list,
        max_length=16,
        description="Services in front of the Deployment. Left out: all that select its pods.",
    )
    ingresses: list[Name] = Field(
        default_factory=list,
        max_length=16,
        description="Ingresses to weight. Left out: all that route to the Services.",
    )
    annotation_prefix: str = Field(
        default="nginx.ingress.kubernetes.io",
        pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        max_length=253,
        description="Prefix of the canary annotations that the ingress controller reads.",
    )
    canary_annotations: bool | None = Field(
        default=None,
        description="Set it to true when the ingress controller honours canary annotations and "
        "is not one that rollout knows.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> "Traffic":
        if self.share_by is ShareBy.REPLICAS and self.ingresses:
            raise ValueError(
                "shareBy Replicas weights no Ingress: drop ingresses, or set shareBy to Ingress"
            )
        return self


class PolicyChoice(Model):
    """What is judged: a RolloutPolicy by name, or inline. Exactly one."""

    model_config = Model.model_config | {
        "json_schema_extra": rules(
            ("has(self.name) != has(self.inline)", "set exactly one of name and inline")
        )
    }

    name: Name | None = Field(default=None, description="A RolloutPolicy in this namespace.")
    inline: RolloutPolicySpec | None = Field(default=None, description="The policy itself.")

    @model_validator(mode="after")
    def _one(self) -> "PolicyChoice":
        if (self.name is None) == (self.inline is None):
            raise ValueError("set exactly one of name and inline")
        return self


class Trigger(StrEnum):
    """What starts a release."""

    COMMAND = "Command"
    TEMPLATE = "Template"


class OnNewRelease(StrEnum):
    """What a new release does to one that runs."""

    REJECT = "Reject"
    SUPERSEDE = "Supersede"


IMPLIED: Final = (
    "trigger Template implies onNewRelease: Supersede, because a newer template is the truth: "
    "leave onNewRelease out or set it to Supersede, or use trigger Command"
)

IN_PLACE_NEEDS_STEPS: Final = (
    "adoption InPlace needs strategy.canary: a cutover is all that blueGreen is, and InPlace has "
    "none; set adoption to Surge"
)


class RolloutSpec(Model):
    """What people write."""

    model_config = Model.model_config | {
        "json_schema_extra": rules(
            (
                (
                    "self.trigger != 'Template' || !has(self.onNewRelease) || "
                    "self.onNewRelease == 'Supersede'"
                ),
                IMPLIED,
            ),
            ("self.adoption != 'InPlace' || has(self.strategy.canary)", IN_PLACE_NEEDS_STEPS),
        )
    }

    target: Target = Field(description="The Deployment that serves.")
    strategy: Strategy = Field(description="How traffic moves.")
    traffic: Traffic = Field(
        default_factory=Traffic, description="What steers requests; discovered when left out."
    )
    policy: PolicyChoice | None = Field(
        default=None, description="What is judged. Left out: error share and latency, from pods."
    )
    history_limit: int = Field(
        default=10, ge=1, le=100, description="Finished Releases that are kept."
    )
    trigger: Trigger = Field(
        default=Trigger.COMMAND,
        description="What starts a release: Command, a person's `start`; Template, any change of "
        "the Deployment's pod template, which stays paused meanwhile (for Git).",
    )
    on_new_release: OnNewRelease | None = Field(
        default=None,
        description="What a new release does while one runs: Reject is refused, Supersede takes "
        "its place. Left out: Reject, with trigger Template Supersede.",
    )
    adoption: Adoption = Field(
        default=Adoption.SURGE,
        description="How the target takes the new version. Surge: it rolls without traffic, while "
        "a candidate of full size serves. InPlace: it rolls while it serves, which needs no room "
        "for a second full size and may lose requests of pods that do not linger.",
    )

    @model_validator(mode="after")
    def _implied(self) -> "RolloutSpec":
        if self.by_template and self.on_new_release is OnNewRelease.REJECT:
            raise ValueError(IMPLIED)
        return self

    @model_validator(mode="after")
    def _adoptable(self) -> "RolloutSpec":
        if self.adoption is Adoption.IN_PLACE and self.strategy.canary is None:
            raise ValueError(IN_PLACE_NEEDS_STEPS)
        return self

    @property
    def by_template(self) -> bool:
        """Whether a change of the target's pod template starts a release."""
        return self.trigger is Trigger.TEMPLATE

    @property
    def supersedes(self) -> bool:
        """Whether a new release takes the place of one that runs."""
        return self.by_template or self.on_new_release is OnNewRelease.SUPERSEDE


class LastRelease(Model):
    """The newest finished release."""

    name: str = Field(description="Name of the Release.")
    phase: str = Field(description="How it ended.")


class Held(Model):
    """A Deployment that stays paused while nothing runs, and how its owner had it."""

    deployment: str = Field(description="Name of the Deployment.")
    uid: str = Field(description="Its uid.")
    paused: bool = Field(description="Whether its owner had paused it.")


class Rejected(Model):
    """A template that was taken back, and is not tried again by itself."""

    template_hash: str = Field(description="What tells the template from others.")
    release: str = Field(description="The Release that was taken back.")


class RolloutStatus(Model):
    """What the controller has to say about a Rollout."""

    observed_generation: int | None = Field(default=None, description="Generation last read.")
    active_release: str | None = Field(default=None, description="The Release that runs now.")
    stable_version: str | None = Field(default=None, description="Version that users have.")
    last_release: LastRelease | None = Field(default=None, description="Newest that has ended.")
    held: Held | None = Field(
        default=None, description="The Deployment that trigger Template keeps paused."
    )
    rejected: Rejected | None = Field(
        default=None,
        description="The Deployment's own template, when a release of it was taken back: it is not "
        "tried again until it changes, or a person retries it.",
    )
    conditions: list[Condition] = Field(default_factory=list, description="Observations.")


class Rollout(Model):
    """Which Deployment, which traffic objects, which strategy and policy."""

    model_config = Model.model_config | {"extra": "ignore"}

    api_version: str = API_VERSION
    kind: str = "Rollout"
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: RolloutSpec
    status: RolloutStatus = Field(default_factory=RolloutStatus)
