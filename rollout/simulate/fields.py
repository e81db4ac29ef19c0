"""The fields of built-in kinds, as their Go structs declare them.

The table `fields.json` is made from the sources of Kubernetes. From it follow what the server does
to every object of a built-in kind before it looks at the meaning: unknown fields are dropped,
wrong types are refused, and zero values are left out or written as Go would.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final, Literal, TypeAlias

from rollout.simulate.objects import Json

Form: TypeAlias = Literal["plain", "list", "map", "struct"]

NEVER: Final = 0
WHEN_EMPTY: Final = 1
WHEN_ZERO: Final = 2
SET: Final = "*"
"""Merge key of lists of plain values that a strategic merge patch merges as sets."""
TIMES: Final = frozenset({"time", "microtime"})
_ZEROES: Final[Mapping[str, Any]] = {
    "string": "",
    "bool": False,
    "int32": 0,
    "int64": 0,
    "float": 0,
    "bytes": None,
    "time": None,
    "microtime": None,
    "quantity": "0",
    "intstr": 0,
    "any": None,
}


class Missing:
    """The answer of `zero` when a missing field stays missing."""


MISSING: Final = Missing()


@dataclass(frozen=True, eq=False)
class Type:
    """What a field may hold."""

    form: Form
    name: str = ""
    pointer: bool = False
    element: "Type | None" = None

    @property
    def struct(self) -> "Struct":
        """The struct, of a type of that form."""
        return struct_of(self.name)


@dataclass(frozen=True, eq=False)
class Field:
    """One field of a struct."""

    name: str
    number: int
    type: Type
    omit: int
    merge_key: str

    def zero(self) -> Any:
        """What Go writes for the field when nothing was set, MISSING when it writes nothing."""
        kind = self.type
        if kind.pointer or kind.form in ("list", "map"):
            return None if self.omit == NEVER else MISSING
        if kind.form == "struct":
            return MISSING if self.omit == WHEN_ZERO else kind.struct.zero()
        if kind.name in TIMES:
            return MISSING if self.omit == WHEN_ZERO else None
        plain_struct = kind.name in ("quantity", "intstr")
        return _ZEROES[kind.name] if self.omit == NEVER or plain_struct else MISSING

    def leaves_out(self, value: Any) -> bool:
        """Whether Go does not write this value, because it is empty."""
        if self.omit == NEVER or self.type.pointer or self.type.form == "struct":
            return False
        return self.type.name not in ("intstr", "quantity") and not value


class Struct:
    """A Go struct: its fields by JSON name, with those of embedded structs among them."""

    def __init__(self, name: str, fields: Mapping[str, Field], embedded: Mapping[int, str]) -> None:
        self.name = name
        self.fields = fields
        self.embedded = embedded
        self._zeroes: Json | None = None

    @property
    def zeroes(self) -> Json:
        """What Go writes of the struct when nothing in it was set."""
        if self._zeroes is None:
            found = {name: field.zero() for name, field in self.fields.items()}
            self._zeroes = {name: value for name, value in found.items() if value is not MISSING}
        return self._zeroes

    def zero(self) -> Json:
        """The struct with nothing in it."""
        return self.zeroes


def root_struct(api_version: str, kind: str) -> Struct | None:
    """The struct of a kind, None for kinds that the table does not have (custom ones)."""
    name = _table()["kinds"].get(f"{api_version} {kind}")
    return None if name is None else struct_of(name)


@cache
def _table() -> Json:
    text = resources.files("rollout.simulate").joinpath("fields.json").read_text("utf-8")
    table: Json = json.loads(text)
    return table


@cache
def struct_of(name: str) -> Struct:
    """A struct of the table by its name, such as `core.Container`."""
    fields: dict[str, Field] = {}
    embedded: dict[int, str] = {}
    for key, entry in _table()["types"][name].items():
        if key.startswith("~"):
            inner = struct_of(entry[1])
            fields.update(inner.fields)
            embedded[entry[0]] = inner.name
        else:
            omit = entry[2] if len(entry) > 2 else NEVER  # noqa: PLR2004 - number, type, omit,
            merge_key = entry[3] if len(entry) > 3 else ""  # noqa: PLR2004 - ... merge key
            fields[key] = Field(key, entry[0], _parsed(entry[1]), omit, merge_key)
    return Struct(name, fields, embedded)


@cache
def _parsed(text: str) -> Type:
    if text.startswith("*"):
        inner = _parsed(text[1:])
        return Type(inner.form, inner.name, pointer=True, element=inner.element)
    if text.startswith("[]"):
        return Type("list", element=_parsed(text[2:]))
    if text.startswith("{}"):
        return Type("map", element=_parsed(text[2:]))
    return Type("plain" if text in _ZEROES else "struct", text)
