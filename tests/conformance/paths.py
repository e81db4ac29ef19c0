"""Dotted paths into JSON, as cases name what they save, wait for and record."""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

Json: TypeAlias = Any
ABSENT: Final = "<absent>"
LISTS: Final = frozenset({"groups", "resources", "items"})
"""Keys of a discovery document whose lists are cut down."""


def at(value: Json, path: str) -> Json:
    """Value at a dotted path; `length` counts a list; `ABSENT` when there is none.

    A dot within a key is written as `|`.
    """
    for part in path.split("."):
        if isinstance(value, list):
            if part == "length":
                return len(value)
            value = value[int(part)] if int(part) < len(value) else ABSENT
        elif isinstance(value, dict):
            value = value.get(part.replace("|", "."), ABSENT)
        else:
            return ABSENT
    return value


def shown(value: Json, paths: Sequence[str]) -> dict[str, Json]:
    """The values at some paths, by path."""
    return {path: at(value, path) for path in paths}


def only(body: Json, names: Sequence[str]) -> Json:
    """Of a discovery document, the named groups, resources and subresources."""
    if not isinstance(body, dict):
        return body
    kept = {key: _kept(value, names) if key in LISTS else value for key, value in body.items()}
    if "versions" in kept:  # of a group in an aggregated document
        kept["versions"] = [only(version, names) for version in kept["versions"]]
    return kept


def _kept(entries: list[Json], names: Sequence[str]) -> list[Json]:
    wanted = [entry for entry in entries if _name(entry) in names]
    return [only(entry, names) for entry in sorted(wanted, key=_name)]


def _name(entry: Json) -> str:
    """A resource's or group's name, in the plain and in the aggregated form."""
    name = entry.get("resource") or entry.get("name") or entry.get("metadata", {}).get("name")
    return str(name)
