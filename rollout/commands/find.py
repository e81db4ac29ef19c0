"""Finding the release that somebody means."""

from collections.abc import Sequence
from typing import Final

from rollout.commands.refusal import NotThereError, UnclearError
from rollout.resources.release import Release

MOST: Final = 8
"""So many candidates are named."""


def choose(releases: Sequence[Release], namespace: str, name: str | None) -> Release:
    """Choose a release by its own name, by its Rollout's, or the only one there is.

    Raises CommandRefusedError naming the candidates when that is not clear.
    """
    exact = [r for r in releases if r.metadata.name == name]
    if exact:
        return exact[0]
    mine = [r for r in releases if name is None or r.spec.rollout == name]
    active = [r for r in mine if not r.status.phase.ended]
    if len(active) == 1:
        return active[0]
    if len({r.spec.rollout for r in mine}) == 1 and not active:
        return max(mine, key=created)
    if not mine:
        raise NotThereError(_nothing(namespace, name))
    raise UnclearError(_which(namespace, name, active or mine))


def created(release: Release) -> tuple[str, str]:
    """Give what orders releases by their age."""
    at = release.metadata.creation_timestamp
    return at.isoformat() if at else "", release.metadata.name


def _nothing(namespace: str, name: str | None) -> str:
    return (
        f"there is no {_what(name)} in namespace {namespace}: `rollout list -n {namespace}` shows "
        "what there is"
    )


def _which(namespace: str, name: str | None, candidates: Sequence[Release]) -> str:
    names = sorted(r.metadata.name for r in candidates)
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    named = ", ".join(names[:MOST])
    return f"which {_what(name)} in namespace {namespace}? Name one of: {named}{more}"


def _what(name: str | None) -> str:
    return f"release or Rollout {name}" if name else "release"
