"""What ConfigMaps and Secrets give to a container's environment, by the kubelet's rules."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from rollout.resources.writes import Kind, Object

_KINDS: Final = {
    "configMapRef": Kind.CONFIG_MAP,
    "configMapKeyRef": Kind.CONFIG_MAP,
    "secretRef": Kind.SECRET,
    "secretKeyRef": Kind.SECRET,
}
_REFERENCE: Final = re.compile(r"\$\$|\$\((?P<name>[^)]+)\)")


class MissingError(Exception):
    """A ConfigMap, a Secret, or a key of one is not there. The message is the kubelet's."""


@dataclass(frozen=True)
class Source:
    """A ConfigMap or a Secret of the pod's namespace."""

    kind: Kind
    name: str


@dataclass(frozen=True)
class Everything:
    """All keys of a source, each behind a prefix."""

    source: Source
    prefix: str
    optional: bool


@dataclass(frozen=True)
class One:
    """One key of a source, as one variable."""

    variable: str
    source: Source
    key: str
    optional: bool


@dataclass(frozen=True)
class Drawn:
    """What a container draws from sources: first all of some, then single keys, which win."""

    all: tuple[Everything, ...] = ()
    keys: tuple[One, ...] = ()
    sources: frozenset[Source] = field(init=False)

    def __post_init__(self) -> None:
        found = {one.source for one in self.all} | {one.source for one in self.keys}
        object.__setattr__(self, "sources", frozenset(found))


Found: TypeAlias = Mapping[Source, Object | None]
"""The sources as they are now; None for one that is not there."""


def read_drawn(container: Object) -> Drawn:
    """Read `envFrom` and `env` of a container."""
    return Drawn(
        tuple(_everything(entry) for entry in container.get("envFrom") or ()),
        tuple(_keys(container.get("env") or ())),
    )


def draw(drawn: Drawn, found: Found, namespace: str) -> dict[str, str]:
    """Give the variables. Raises MissingError for what is not there and not optional."""
    given: dict[str, str] = {}
    for entry in drawn.all:
        values = _values(entry.source, found, optional=entry.optional)
        given |= {f"{entry.prefix}{key}": value for key, value in values.items()}
    for one in drawn.keys:
        values = _values(one.source, found, optional=one.optional)
        if one.key in values:
            given[one.variable] = values[one.key]
        elif not one.optional:
            kind = one.source.kind.value.kind
            place = f"{namespace}/{one.source.name}"
            raise MissingError(f"couldn't find key {one.key} in {kind} {place}")
    return given


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Put variables in the place of `$(NAME)`; `$$` is a `$`, and an unknown name stays."""

    def put(found: re.Match[str]) -> str:
        return "$" if found["name"] is None else variables.get(found["name"], found[0])

    return _REFERENCE.sub(put, text)


def _everything(entry: Object) -> Everything:
    name = next(name for name in ("configMapRef", "secretRef") if name in entry)
    source = Source(_KINDS[name], entry[name]["name"])
    return Everything(source, entry.get("prefix", ""), bool(entry[name].get("optional")))


def _keys(variables: Sequence[Object]) -> list[One]:
    found = []
    for variable in variables:
        origin: Mapping[str, Any] = variable.get("valueFrom") or {}
        for name in ("configMapKeyRef", "secretKeyRef"):
            if name in origin:
                source = Source(_KINDS[name], origin[name]["name"])
                optional = bool(origin[name].get("optional"))
                found.append(One(variable["name"], source, origin[name]["key"], optional))
    return found


def _values(source: Source, found: Found, *, optional: bool) -> Mapping[str, str]:
    body = found[source]
    if body is None:
        if optional:
            return {}
        raise MissingError(f'{source.kind.value.kind.lower()} "{source.name}" not found')
    data: Mapping[str, str] = body.get("data") or {}
    if source.kind is Kind.SECRET:
        return {key: base64.b64decode(value).decode() for key, value in data.items()}
    return data
