"""Releases as they were read: one that another version of rollout made must not hide the others."""

from collections.abc import Iterable, Sequence

from pydantic import ValidationError

from rollout.commands.refusal import CommandRefusedError
from rollout.resources.faults import sentence
from rollout.resources.objects import name_of
from rollout.resources.release import ENDED, Release
from rollout.resources.writes import Object


def valid(raw: Iterable[Object]) -> list[Release]:
    """Give the releases that are valid."""
    return [found for one in raw if isinstance(found := _parsed(one), Release)]


def readable(raw: Iterable[Object], name: str | None) -> list[Release]:
    """Give the releases that are valid; `name` is a release, a Rollout, or (None) the only one.

    Raises CommandRefusedError when one that may be meant by that is not: another would take its
    place.
    """
    known = list(raw)
    for one in _meant(known, name):
        found = _parsed(one)
        if isinstance(found, str):
            raise CommandRefusedError(
                f"release {name_of(one)} is not for this version of rollout ({found}): use that "
                "of the controller, or name another release"
            )
    return valid(known)


def of_rollout(raw: Iterable[Object], rollout: str) -> list[Object]:
    """Give the releases of one Rollout."""
    return [one for one in raw if _spec(one).get("rollout") == rollout]


def _meant(known: Sequence[Object], name: str | None) -> list[Object]:
    """Give those that a name may mean: the one itself, what runs, else the last one."""
    exact = [one for one in known if name_of(one) == name]
    mine = known if name is None else of_rollout(known, name)
    active = [one for one in mine if (one.get("status") or {}).get("phase") not in ENDED]
    return exact or active or sorted(mine, key=_created)[-1:]


def _parsed(raw: Object) -> Release | str:
    try:
        return Release.model_validate(raw)
    except ValidationError as error:
        return sentence(error)


def _spec(raw: Object) -> Object:
    return raw.get("spec") or {}


def _created(raw: Object) -> tuple[str, str]:
    return str(raw["metadata"].get("creationTimestamp", "")), name_of(raw)
