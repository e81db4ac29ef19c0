"""The candidate's share of the traffic, where there is a candidate to have one."""

from typing import Final

from rollout.resources.release import Phase, ReleaseStatus

LAST: Final = frozenset({Phase.ADOPTING, Phase.SUCCEEDED})
"""Phases in which the target takes the candidate's place: none has a share there any more."""


def share(phase: Phase, weight: int | None) -> str:
    """Say the candidate's share in percent; `-` where there is no candidate to have one."""
    return "-" if weight is None or (phase in LAST and weight == 0) else f"{weight}%"


def serves(status: ReleaseStatus) -> bool:
    """Whether the target itself serves the new version, and all traffic goes to it."""
    moved = status.phase is Phase.SUCCEEDED or (status.phase is Phase.ADOPTING and status.committed)
    return moved and status.weight.applied == 0
