"""What it is to steer traffic: the protocol that every router follows; pure.

A router knows one kind of object that users route with. It reads what such an object asks for,
and says what to write so that it asks for something else, and so that it is the user's again.
Nothing is written here: the answers are values that `kube/` carries out.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from rollout.resources.names import label_value
from rollout.resources.words import MANAGED_BY, RELEASE_LABEL, RELEASE_UID, ROLLOUT_LABEL
from rollout.resources.writes import Object, Write

ALL = 100


@dataclass(frozen=True)
class Split:
    """A share of requests, in percent, for the pods of one pod-template-hash."""

    hash: str
    weight: int = ALL
    latch: str | None = None
    """Uid of a release that goes back: written with the split, for whoever reads it next."""


@dataclass(frozen=True)
class View:
    """What the objects ask for, as read back from them."""

    ready: bool = True
    """Whether all is there that a split is written into."""
    asked: int = 0
    """Share that the objects ask for, in percent."""
    applied: int = 0
    """Share that the data plane has confirmed; what is asked, where nobody confirms it."""
    hash: str | None = None
    """Pods that the share is for, where the object names them itself."""
    latch: str | None = None


@dataclass(frozen=True)
class Steered:
    """One object of the user's that routes requests, and what stands beside it."""

    own: Object | None
    """None when the user has removed it."""
    beside: Object | None = None
    """Our object beside it, for routers that need one."""


@dataclass(frozen=True)
class Settings:
    """What a router must know of the release to do its work."""

    annotation_prefix: str
    services: Collection[str] = ()
    """Names of the user's Services in front of the target."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels of every object of ours."""
    hashes: Collection[str] = ()
    """Every pod-template-hash that this release may have written."""
    stable: str = ""
    """pod-template-hash of the version that users have, for routers that name it."""
    ready: Mapping[str, int] = field(default_factory=dict)
    """Ready pods by pod-template-hash, for routers whose share is made by pods."""
    saved: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What the release wrote down of each of the user's objects, by name, before its first change:
    for objects that have lost their own note."""


class UnreachableSplitError(ValueError):
    """A router was asked for a share that its kind of object cannot express: a bug of ours."""


class Router(Protocol):
    """Steers one kind of object. All methods are pure; writes carry what they rest on."""

    def beside(self, name: str) -> str | None:
        """Name of our object beside the user's of this name; None where none is needed."""

    def view(self, steered: Steered) -> View:
        """Read what share is asked for and what is applied."""

    def prepare(self, steered: Steered) -> tuple[Write, ...]:
        """Create what a split is written into, asking for nothing yet."""

    def patches(self, steered: Steered, split: Split) -> tuple[Write, ...]:
        """Say what to write so that the split is asked for; nothing when it is already.

        Raises UnreachableSplitError for a share that this kind of object cannot express.
        """

    def restore(self, steered: Steered) -> tuple[Write, ...]:
        """Say what to write so that all is as the user had it; nothing when it is already."""


def our_labels(rollout: str, release: str, uid: str) -> dict[str, str]:
    """Return the labels of every object of ours."""
    return {
        MANAGED_BY: "rollout",
        ROLLOUT_LABEL: label_value(rollout),
        RELEASE_LABEL: label_value(release),
        RELEASE_UID: uid,
    }
