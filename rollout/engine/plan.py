"""What a pass decided: actions in order, the status after them, events, and when to look again."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from rollout.engine.snapshot import Template
from rollout.resources.release import ReleaseStatus
from rollout.resources.rollout import Held, Rejected
from rollout.resources.writes import Kind


@dataclass(frozen=True)
class Enter:
    """Write the status now: phase, step and `since` are durable before their first effect."""

    status: ReleaseStatus


@dataclass(frozen=True)
class SaveRestore:
    """Write down what is there before the first change to it (I5)."""

    status: ReleaseStatus


@dataclass(frozen=True)
class Commit:
    """Write down that the target serves the new version: from here there is no way back."""

    status: ReleaseStatus


@dataclass(frozen=True)
class AddFinalizer:
    """Have the server wait for us when somebody deletes this object."""

    kind: Kind
    name: str


@dataclass(frozen=True)
class RemoveFinalizer:
    """Let the server delete this object at will again."""

    kind: Kind
    name: str


@dataclass(frozen=True)
class PauseTarget:
    """Stop the target from rolling."""


@dataclass(frozen=True)
class UnpauseTarget:
    """Let the target roll while it has no traffic."""


@dataclass(frozen=True)
class WriteTemplate:
    """Replace the target's pod template whole, and let it roll."""

    template: Template


@dataclass(frozen=True)
class RestoreTarget:
    """Give the target back as the user had it; `keep_paused` while an edit waits on it."""

    keep_paused: bool = False


@dataclass(frozen=True)
class ReturnTemplate:
    """Give the paused target its owner's own template back, which waits there."""

    template: Template


@dataclass(frozen=True)
class LatchTarget:
    """Mark the target: this release goes back, whatever status says."""


@dataclass(frozen=True)
class LatchCandidate:
    """Mark the candidate likewise."""


@dataclass(frozen=True)
class CreateCandidate:
    """Create the candidate Deployment with no replicas."""

    template: Template


@dataclass(frozen=True)
class ScaleCandidate:
    """Set the candidate's replicas."""

    replicas: int


@dataclass(frozen=True)
class DeleteCandidate:
    """Remove the candidate Deployment."""


@dataclass(frozen=True)
class Select:
    """Have a Service select one pod-template-hash."""

    service: str
    hash: str
    latch: bool = False


@dataclass(frozen=True)
class Widen:
    """Have a Service select both versions: the pods make the share, of at most this weight."""

    service: str
    hash: str
    weight: int


@dataclass(frozen=True)
class RestoreService:
    """Give a Service its own selector back."""

    service: str


@dataclass(frozen=True)
class CreateSideService:
    """Create the Service that selects the candidate, beside one of the user's."""

    service: str
    hash: str


@dataclass(frozen=True)
class DeleteSideService:
    """Remove it."""

    service: str


@dataclass(frozen=True)
class CreateRoute:
    """Create the canary Ingress beside one of the user's, at weight 0."""

    ingress: str


@dataclass(frozen=True)
class SetWeight:
    """Set the share of an Ingress that goes to the candidate."""

    ingress: str
    weight: int
    latch: bool = False


@dataclass(frozen=True)
class DeleteRoute:
    """Remove the canary Ingress."""

    ingress: str


@dataclass(frozen=True)
class WriteRollout:
    """Write down on the Rollout what its trigger must remember."""

    held: Held | None
    rejected: Rejected | None


@dataclass(frozen=True)
class CreateRelease:
    """Create the release of the template that waits on the target."""

    name: str
    template: Template
    by: str
    reason: str


StatusAction: TypeAlias = Enter | SaveRestore | Commit
TargetAction: TypeAlias = (
    PauseTarget | UnpauseTarget | WriteTemplate | RestoreTarget | ReturnTemplate | LatchTarget
)
CandidateAction: TypeAlias = CreateCandidate | ScaleCandidate | DeleteCandidate | LatchCandidate
TrafficAction: TypeAlias = (
    Select
    | Widen
    | RestoreService
    | CreateSideService
    | DeleteSideService
    | CreateRoute
    | SetWeight
    | DeleteRoute
)
FinalizerAction: TypeAlias = AddFinalizer | RemoveFinalizer
TriggerAction: TypeAlias = WriteRollout | CreateRelease
SingleAction: TypeAlias = TargetAction | CandidateAction | TriggerAction | AddFinalizer
Action: TypeAlias = (
    StatusAction | TargetAction | CandidateAction | TrafficAction | FinalizerAction | TriggerAction
)


@dataclass(frozen=True)
class Event:
    """Something to tell people about."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True)
class Plan:
    """The outcome of one pass."""

    actions: tuple[Action, ...]
    status: ReleaseStatus
    """What status reads when all actions are done."""
    events: tuple[Event, ...] = ()
    look_again: datetime | None = None
    """When something becomes due by time alone."""
