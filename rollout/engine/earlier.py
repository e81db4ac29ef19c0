"""What served before: the versions that users had, told from the releases that succeeded.

`undo` asks it what to ship, and the history is kept so that the answer is not pruned away. Going
back is told from going on: a release on the fast path to a version that served before takes the
later ones off the pile. So `undo` after `undo` goes further back, never forward again to the
version that was fled from.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from rollout.engine.facts import same
from rollout.engine.snapshot import Template
from rollout.resources.release import Phase, Release

RESTARTED: Final = "kubectl.kubernetes.io/restartedAt"
"""Annotation of a pod template that asks for new pods of the same version."""
AT_LEAST: Final = 2
"""Succeeded releases that are kept whatever the history's limit."""


@dataclass(frozen=True)
class Earlier:
    """A version that served, and the release that tells of it."""

    template: Template
    image: str
    release: str


def alike(one: Template | None, other: Template | None) -> bool:
    """Whether two pod templates are one version; a restart makes no other."""
    return one is not None and other is not None and same(_unrestarted(one), _unrestarted(other))


def _unrestarted(template: Template) -> dict[str, Any]:
    metadata = dict(template.get("metadata") or {})
    notes = {k: v for k, v in (metadata.get("annotations") or {}).items() if k != RESTARTED}
    return {**template, "metadata": {**metadata, "annotations": notes}}


def served(releases: Iterable[Release]) -> list[Earlier]:
    """Give the versions that served, the oldest first; those that were undone are left out."""
    pile: list[Earlier] = []
    for release in succeeded(releases):
        resolved, name = release.status.resolved, release.metadata.name
        if resolved is None:
            continue
        _put(pile, Earlier(resolved.stable_template, resolved.stable_image, name))
        shipped = Earlier(resolved.template, resolved.image, name)
        depth = _depth(pile, shipped.template) if release.spec.fast else None
        if depth is None:
            _put(pile, shipped)
        else:
            del pile[depth + 1 :]
    return pile


def succeeded(releases: Iterable[Release]) -> list[Release]:
    """Give the releases that succeeded, the oldest first."""
    found = [one for one in releases if one.status.phase is Phase.SUCCEEDED]
    return sorted(found, key=_finished)


def _finished(release: Release) -> tuple[str, str]:
    moment = release.status.finished_at
    return (moment.isoformat() if moment else "", release.metadata.name)


def _put(pile: list[Earlier], version: Earlier) -> None:
    if pile and alike(pile[-1].template, version.template):
        pile[-1] = version
    else:
        pile.append(version)


def _depth(pile: list[Earlier], template: Template | None) -> int | None:
    found = (i for i in reversed(range(len(pile))) if alike(pile[i].template, template))
    return next(found, None)


def before(releases: Iterable[Release], serving: Template | None) -> Earlier | None:
    """Give what served before the version that serves now; None where nothing tells.

    A version that came past us, by kubectl, has what succeeded last before it.
    """
    pile = served(releases)
    depth = _depth(pile, serving)
    last = len(pile) - 1 if depth is None else depth - 1
    return pile[last] if last >= 0 else None


def needed(releases: Iterable[Release]) -> set[str]:
    """Name the releases without which `undo` would not know what to ship, now or next."""
    found = list(releases)
    newest = {release.metadata.name for release in succeeded(found)[-AT_LEAST:]}
    return newest | {version.release for version in served(found)[-AT_LEAST:]}
