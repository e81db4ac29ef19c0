"""Whose object is it? A name alone proves nothing: people may have one of ours (I5)."""

from enum import Enum

from rollout.resources.names import label_value
from rollout.resources.objects import labels_of
from rollout.resources.release import Release
from rollout.resources.words import MANAGED_BY, RELEASE_UID, ROLLOUT_LABEL
from rollout.resources.writes import Object


class Owner(Enum):
    """Who made an object that bears a name of ours."""

    THIS_RELEASE = "this release"
    EARLIER_RELEASE = "an earlier release, which did not clear it away"
    SOMEBODY = "somebody else"


def made_by(obj: Object, release: Release) -> Owner:
    """Tell by the labels that every object of ours bears from its creation."""
    labels = labels_of(obj)
    ours = labels.get(MANAGED_BY) == "rollout"
    if not ours or labels.get(ROLLOUT_LABEL) != label_value(release.spec.rollout):
        return Owner.SOMEBODY
    if labels.get(RELEASE_UID) == release.metadata.uid:
        return Owner.THIS_RELEASE
    return Owner.EARLIER_RELEASE
