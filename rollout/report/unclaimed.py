"""A release that nobody has looked at: most likely no controller is running."""

from datetime import datetime, timedelta
from typing import Final

from rollout.resources.release import Release, ReleaseStatus

SOON: Final = timedelta(seconds=5)
"""How long a controller may take before it is missed; one that runs takes a moment."""
UNCLAIMED: Final = "no controller has taken it up: is one running? `rollout doctor` tells"


def is_unclaimed(release: Release, now: datetime) -> bool:
    """Whether a release has been there for a while, and still has no status at all."""
    created = release.metadata.creation_timestamp
    return created is not None and release.status == ReleaseStatus() and now - created >= SOON
