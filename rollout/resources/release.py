"""Release: one attempt to ship a version; the spec asks, the status remembers everything.

State lives in the Kubernetes API only. Whatever a controller must know to go on after a crash is
a field of this status: phase, step, moments of the last settled moves, what to restore.
"""

from enum import StrEnum
from typing import Any, Final

from pydantic import Field, model_validator
from pydantic.config import JsonDict

from rollout.resources.action import Action, ActionTaken
from rollout.resources.conditions import Condition
from rollout.resources.duration import Duration
from rollout.resources.image import NOT_A_VERSION, VERSION
from rollout.resources.model import Model, Moment, ObjectMeta, rules
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.rollout import Adoption, Name, PolicyChoice, Strategy, Traffic
from rollout.resources.words import API_VERSION

OPEN: Final[JsonDict] = {"x-kubernetes-preserve-unknown-fields": True}
TIMELINE_LIMIT: Final = 60
ACTIONS_LIMIT: Final = 20


class Phase(StrEnum):
    """Where a release is."""

    PENDING = "Pending"
    PREPARING = "Preparing"
    PROGRESSING = "Progressing"
    PAUSED = "Paused"
    PROMOTING = "Promoting"
    BAKING = "Baking"
    ADOPTING = "Adopting"
    ROLLING_BACK = "RollingBack"
    SUCCEEDED = "Succeeded"
    ROLLED_BACK = "RolledBack"
    FAILED = "Failed"
    SUPERSEDED = "Superseded"
    CANCELLED = "Cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens in this phase."""
        return self in ENDED


ENDED = frozenset(
    {Phase.SUCCEEDED, Phase.ROLLED_BACK, Phase.FAILED, Phase.SUPERSEDED, Phase.CANCELLED}
)


class Overrides(Model):
    """What this release does differently from its Rollout."""

    strategy: Strategy | None = Field(default=None, description="Another strategy.")
    policy: PolicyChoice | None = Field(default=None, description="Another policy.")


class ReleaseSpec(Model):
    """What is asked. Nothing but `action` changes after creation."""

    model_config = Model.model_config | {
        "json_schema_extra": rules(
            (
                "has(self.version) != has(self.template)",
                "set exactly one of version and template",
            ),
            (
                f"!has(self.version) || self.version.matches('^{VERSION}$')",
                NOT_A_VERSION,
            ),
            (
                (
                    "self.rollout == oldSelf.rollout && "
                    "has(self.version) == has(oldSelf.version) && "
                    "(!has(self.version) || self.version == oldSelf.version) && "
                    "has(self.template) == has(oldSelf.template) && "
                    "(!has(self.template) || self.template == oldSelf.template) && "
                    "has(self.overrides) == has(oldSelf.overrides) && "
                    "(!has(self.overrides) || self.overrides == oldSelf.overrides) && "
                    "has(self.fast) == has(oldSelf.fast) && "
                    "(!has(self.fast) || self.fast == oldSelf.fast) && "
                    "has(self.by) == has(oldSelf.by) && "
                    "(!has(self.by) || self.by == oldSelf.by) && "
                    "has(self.reason) == has(oldSelf.reason) && "
                    "(!has(self.reason) || self.reason == oldSelf.reason)"
                ),
                "a release cannot be changed but for its action: start a new one",
            ),
            (
                (
                    "!has(oldSelf.action) || oldSelf.action.type != 'rollback' || "
                    "(has(self.action) && self.action == oldSelf.action)"
                ),
                "this release was told to roll back; no other action follows: start a new one",
            ),
        )
    }

    rollout: Name = Field(description="The Rollout that this release belongs to.")
    version: str | None = Field(
        default=None,
        min_length=1,
        max_length=512,
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./:@-]*$",
        description="Image tag to ship, or a whole image when it has a `/` or a digest.",
    )
    template: dict[str, Any] | None = Field(
        default=None,
        description="A whole pod template to ship instead of a version.",
        json_schema_extra=OPEN,
    )
    overrides: Overrides | None = Field(
        default=None, description="What differs from the Rollout for this release."
    )
    fast: bool = Field(
        default=False,
        description="All traffic as soon as the pods are ready: no steps, no gates, no judge, no "
        "bake. For a version that is known to be good, as `rollout undo` ships it.",
    )
    by: str = Field(default="", max_length=253, description="Who started it.")
    reason: str = Field(default="", max_length=1024, description="Why it was started.")
    action: Action | None = Field(default=None, description="What a person asks of it now.")

    @model_validator(mode="after")
    def _one(self) -> "ReleaseSpec":
        if (self.version is None) == (self.template is None):
            raise ValueError("set exactly one of version and template")
        return self


class Resolved(Model):
    """Everything the release goes by, frozen when it began."""

    strategy: Strategy = Field(description="The strategy.")
    policy: RolloutPolicySpec = Field(description="The policy.")
    traffic: Traffic = Field(description="Services and Ingresses, found and named.")
    adoption: Adoption = Field(
        default=Adoption.SURGE, description="How the target takes the new version."
    )
    deployment: str = Field(description="The target Deployment.")
    deployment_uid: str = Field(description="Its uid.")
    container: str = Field(description="The container whose image is the version.")
    image: str = Field(default="", description="The image that is shipped.")
    stable_image: str = Field(default="", description="The image that users had.")
    template: dict[str, Any] = Field(
        description="The pod template shipped.", json_schema_extra=OPEN
    )
    stable_template: dict[str, Any] = Field(
        description="The pod template that served.", json_schema_extra=OPEN
    )
    stable_hash: str = Field(description="pod-template-hash of the version that served.")
    replicas: int = Field(description="The target's replicas at the start.")
    target_template_hash: str | None = Field(
        default=None,
        description="With trigger Template: what tells the pod template that the target had when "
        "this release was asked for.",
    )


class Saved(Model):
    """What one object of the user looked like before the first change to it."""

    kind: str = Field(description="Kind of the object.")
    name: str = Field(description="Its name.")
    uid: str = Field(default="", description="Its uid.")
    fields: dict[str, Any] = Field(
        description="Path of each field that we change, and its value before; one that was absent "
        "is left out.",
        json_schema_extra=OPEN,
    )


class Hashes(Model):
    """pod-template-hash by role."""

    stable: str | None = Field(default=None, description="The version that users had.")
    candidate: str | None = Field(default=None, description="The candidate Deployment's.")
    adopted: str | None = Field(
        default=None, description="The target's own, after it took the candidate's template."
    )


class ReadyPods(Model):
    """Ready pods of both sides."""

    candidate: int = Field(description="The candidate's.")
    stable: int = Field(description="The stable version's.")


class Weight(Model):
    """Share of requests for the candidate, in percent."""

    asked: int = Field(default=0, description="What the strategy asks for.")
    applied: int = Field(default=0, description="What was read back from the routers.")
    pods: ReadyPods | None = Field(
        default=None, description="The pods that make the share, where shares are made by pods."
    )


class PausedFrom(Model):
    """Where a paused release goes on."""

    phase: Phase = Field(description="The phase it was in.")
    step: int = Field(description="The step it was at.")
    reason: str = Field(description="What it waits for.")
    held: Duration = Field(description="Time already held at this step or bake.")
    deadline: Moment | None = Field(default=None, description="When the wait ends by itself.")


class Ending(Model):
    """How a release that goes back will end."""

    phase: Phase = Field(description="The end phase.")
    reason: str = Field(description="One word why.")
    message: str = Field(description="A sentence why.")


class SideCounts(Model):
    """Counted requests of one track."""

    bad: float = Field(description="Requests that count against it.")
    total: float = Field(description="All requests.")


class MetricVerdict(Model):
    """What one metric says, with its numbers."""

    name: str = Field(description="The metric.")
    result: str = Field(description="Pass, Fail, Undecided, NoData or Error.")
    reason: str = Field(default="", description="One word why.")
    message: str = Field(default="", description="A sentence why.")
    stable: SideCounts | None = Field(default=None, description="The stable side.")
    candidate: SideCounts | None = Field(default=None, description="The candidate side.")
    value: float | None = Field(default=None, description="Last value, for metrics of kind Value.")
    p_value: float | None = Field(default=None, description="How likely by chance alone.")
    limit: float | None = Field(default=None, description="Below this it is a Fail.")
    reference: str = Field(
        default="concurrent",
        description="concurrent: stable in the same minutes; before: its window before cutover.",
    )


class Verdict(Model):
    """The judgement of the current step or bake."""

    result: str = Field(description="Pass, Fail, Undecided, NoData or Error.")
    reason: str = Field(default="", description="One word why.")
    message: str = Field(default="", description="A sentence why.")
    at: Moment = Field(description="When it was formed.")
    metrics: list[MetricVerdict] = Field(default_factory=list, description="By metric.")


class TimelineEntry(Model):
    """One thing that happened."""

    at: Moment = Field(description="When.")
    phase: Phase = Field(description="In which phase.")
    reason: str = Field(description="One CamelCase word.")
    message: str = Field(description="A sentence.")
    weight: int | None = Field(default=None, description="Weight then, in percent.")


class ReleaseStatus(Model):
    """All that the controller remembers of a release."""

    model_config = Model.model_config | {"extra": "ignore"}

    observed_generation: int | None = Field(default=None, description="Generation last read.")
    phase: Phase = Field(default=Phase.PENDING, description="Where the release is.")
    reason: str = Field(default="", description="One word about where it is.")
    message: str = Field(default="", description="A sentence: what it does and waits for.")
    paused_from: PausedFrom | None = Field(default=None, description="Where it goes on.")
    step: int = Field(default=0, description="Current step, from 0.")
    strategy: str = Field(default="", description="canary or blue-green.")
    progress: str = Field(default="", description="Step of steps, for tables.")
    weight: Weight = Field(default_factory=Weight, description="Share of the candidate.")
    share: str = Field(
        default="",
        description="The candidate's share, for tables; - when the target itself serves.",
    )
    hashes: Hashes = Field(default_factory=Hashes, description="pod-template-hash by role.")
    since: Moment | None = Field(default=None, description="When phase and step were entered.")
    progress_since: Moment | None = Field(
        default=None,
        description="From when progressDeadline counts: the last time that the candidate had to "
        "become ready for something new.",
    )
    marks: dict[str, Moment] = Field(
        default_factory=dict,
        description="Moments from which drains and holds count, by what was read back.",
    )
    started_at: Moment | None = Field(default=None, description="When it left Pending.")
    finished_at: Moment | None = Field(default=None, description="When it ended.")
    resolved: Resolved | None = Field(default=None, description="What it goes by, frozen.")
    restore: list[Saved] = Field(default_factory=list, description="What was there before.")
    committed: bool = Field(
        default=False, description="The target serves the new version: no way back but `undo`."
    )
    ending: Ending | None = Field(default=None, description="How a release that goes back ends.")
    contests: dict[str, int] = Field(
        default_factory=dict, description="How often something of ours was changed by others."
    )
    displaced_edit: dict[str, Any] | None = Field(
        default=None,
        description="A pod template that was edited in meanwhile and replaced on `resume`.",
        json_schema_extra=OPEN,
    )
    verdict: Verdict | None = Field(default=None, description="The last judgement.")
    evidence: dict[str, Any] | None = Field(
        default=None, description="The judge's state.", json_schema_extra=OPEN
    )
    conditions: list[Condition] = Field(default_factory=list, description="Observations.")
    timeline: list[TimelineEntry] = Field(
        default_factory=list, description="What happened, newest last; bounded."
    )
    actions: list[ActionTaken] = Field(
        default_factory=list, description="What people asked, newest last; bounded."
    )


class Release(Model):
    """One attempt to ship a version."""

    model_config = Model.model_config | {"extra": "ignore"}

    api_version: str = API_VERSION
    kind: str = "Release"
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: ReleaseSpec
    status: ReleaseStatus = Field(default_factory=ReleaseStatus)
