"""What a Rollout waits for while nothing of it runs: the words of its condition Ready."""

from collections.abc import Iterable, Iterator

from pydantic import ValidationError

from rollout.resources.conditions import Condition
from rollout.resources.faults import sentence
from rollout.resources.objects import name_of, namespace_of
from rollout.resources.rollout import Rollout
from rollout.resources.writes import Object


def state(rollout: Rollout) -> str:
    """Say in one word how a Rollout stands; `-` before a controller has looked at it."""
    found = _ready(rollout)
    return found.reason if found is not None else "-"


def waits_for(rollout: Rollout) -> str:
    """Say in a sentence how a Rollout stands; `-` before a controller has looked at it."""
    found = _ready(rollout)
    return found.message if found is not None else "-"


def readable(raw: Iterable[Object]) -> list[Rollout]:
    """Give the Rollouts that are valid: one that is not must not hide the others."""
    return [found for one in raw if isinstance(found := _parsed(one), Rollout)]


def invalid(raw: Iterable[Object], *, namespaces: bool = False) -> Iterator[str]:
    """Say of each Rollout that is not valid what is wrong with it."""
    for one in raw:
        found = _parsed(one)
        if isinstance(found, str):
            space = f"{namespace_of(one)}/" if namespaces else ""
            yield f"{space}{name_of(one)}: invalid: {found}"


def _parsed(raw: Object) -> Rollout | str:
    try:
        return Rollout.model_validate(raw)
    except ValidationError as error:
        return sentence(error)


def standing(rollouts: Iterable[Object], name: str | None) -> list[str]:
    """Say what a Rollout waits for: the one of that name, or the only one there is."""
    known = list(rollouts)
    meant = [one for one in known if name_of(one) == name] if name is not None else known
    if len(meant) != 1:
        return []
    found = _parsed(meant[0])
    if isinstance(found, str):
        return [f"Rollout {line}." for line in invalid(meant)]
    ready = _ready(found)
    if ready is None or found.status.active_release is not None:
        return []
    return [f"Rollout {found.metadata.name}: {ready.message}."]


def _ready(rollout: Rollout) -> Condition | None:
    return next((one for one in rollout.status.conditions if one.type == "Ready"), None)
