"""What a Rollout waits for while nothing of it runs: the words of its condition Ready."""

from collections.abc import Iterable

from rollout.resources.conditions import Condition
from rollout.resources.rollout import Rollout


def state(rollout: Rollout) -> str:
    """Say in one word how a Rollout stands; `-` before a controller has looked at it."""
    found = _ready(rollout)
    return found.reason if found is not None else "-"


def standing(rollouts: Iterable[Rollout], name: str | None) -> list[str]:
    """Say what a Rollout waits for: the one of that name, or the only one there is."""
    known = list(rollouts)
    meant = [r for r in known if r.metadata.name == name] if name is not None else known
    found = _ready(meant[0]) if len(meant) == 1 else None
    if found is None or meant[0].status.active_release is not None:
        return []
    return [f"Rollout {meant[0].metadata.name}: {found.message}."]


def _ready(rollout: Rollout) -> Condition | None:
    return next((one for one in rollout.status.conditions if one.type == "Ready"), None)
