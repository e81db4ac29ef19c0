"""Objects that break one constraint of a schema, made of good ones in which all fields stand."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from rollout.resources.writes import Object
from tests.resources.constraints import Constraint, Json, constraints
from tests.resources.full import FULL

LEFT_OUT: Final = object()
LONG: Final = ("a{}", "/{}", "http://{}")
"""Texts that fit all patterns but those of durations, with room to be made long."""
LONG_DURATION: Final = "{}1s"
UNFIT: Final = ("a b", "/", "-")
"""Texts, of which each pattern refuses one that is long enough."""
WRONG_TYPE: Final = {
    "array": "text",
    "boolean": "text",
    "integer": "text",
    "number": "text",
    "object": "text",
    "string": True,  # a list would pass for a time: the server takes its format for its type
    "integer,string": 1.5,
}
Place: TypeAlias = tuple[str | int, ...]
Breaker: TypeAlias = Callable[[Json, Any], Any]
"""Makes of a field's schema and its good value one that is refused."""


@dataclass(frozen=True)
class Broken:
    """An object that breaks one constraint, and the field that is to blame."""

    constraint: Constraint
    at: str
    body: Object

    def __str__(self) -> str:
        """As a test is named."""
        return str(self.constraint)


def broken() -> Iterator[Broken]:
    """Give an object for each constraint of which a full object has the field."""
    for constraint in constraints():
        for body, place in [*_places(constraint)][:1]:
            value = BREAKERS[constraint.keyword](constraint.schema, _at(body, place))
            blamed = (*place, 1) if constraint.keyword == "x-kubernetes-list-type" else place
            yield Broken(constraint, _said(blamed), _with(body, place, value))


def _said(place: Place) -> str:
    """Name a place as the API server does."""
    words = (f"[{word}]" if isinstance(word, int) else f".{word}" for word in place)
    return "".join(words).removeprefix(".")


def _places(constraint: Constraint) -> Iterator[tuple[Object, Place]]:
    way = re.findall(r"\[\]|\{\}|\w+", constraint.field)
    for body in FULL:
        if body["kind"] == constraint.kind:
            yield from ((body, place) for place in _found(body, way))


def _found(value: Any, way: Sequence[str], passed: Place = ()) -> Iterator[Place]:
    """Find the places in an object that a field's path leads to."""
    if not way:
        yield passed
        return
    inner: Mapping[str | int, Any] = dict(enumerate(value)) if way[0] == "[]" else value
    for key in inner if way[0] in {"[]", "{}"} else inner.keys() & {way[0]}:
        yield from _found(inner[key], way[1:], (*passed, key))


def _at(body: Object, place: Place) -> Any:
    value: Any = body
    for word in place:
        value = value[word]
    return value


def _with(value: Any, place: Place, end: Any) -> Any:
    """Give a copy with another value at a place; what full objects share stays as it is."""
    if not place:
        return end
    changed = value.copy()
    if place[1:] == () and end is LEFT_OUT:
        del changed[place[0]]
    else:
        changed[place[0]] = _with(value[place[0]], place[1:], end)
    return changed


def _unfit(schema: Json, _: Any) -> str:
    shortest = schema.get("minLength", 0)
    texts = (text for text in UNFIT if len(text) >= shortest)
    return next(text for text in texts if not re.search(schema["pattern"], text))


def _too_long(schema: Json, _: Any) -> str:
    texts = [form.format("a" * schema["maxLength"]) for form in LONG]
    texts.append(LONG_DURATION.format("1" * schema["maxLength"]))
    return next(text for text in texts if re.search(schema.get("pattern", ""), text))


def _too_many(schema: Json, value: Sequence[Any]) -> list[Any]:
    items = [value[0]] * (schema["maxItems"] + 1)
    if schema.get("x-kubernetes-list-type") == "map":  # else they would be duplicates as well
        return [{**item, "name": f"m{number}"} for number, item in enumerate(items)]
    return items


def _too_many_keys(schema: Json, value: Mapping[str, Any]) -> dict[str, Any]:
    one = next(iter(value.values()))
    return {f"X-{number}": one for number in range(schema["maxProperties"] + 1)}


def _step(schema: Json) -> float:
    return 1 if schema["type"] == "integer" else 0.00001


BREAKERS: Final[Mapping[str, Breaker]] = {
    "enum": lambda *_: "Other",
    "format": lambda *_: "yesterday",
    "maxItems": _too_many,
    "maxLength": _too_long,
    "maxProperties": _too_many_keys,
    "maximum": lambda schema, _: schema["maximum"] + _step(schema),
    "minItems": lambda *_: [],
    "minLength": lambda schema, _: "/"[: schema["minLength"] - 1],
    "minimum": lambda schema, _: schema["minimum"] - _step(schema),
    "pattern": _unfit,
    "required": lambda *_: LEFT_OUT,
    "type": lambda schema, _: WRONG_TYPE[schema.get("type", "integer,string")],
    "x-kubernetes-list-type": lambda _, value: [value[0], *value],
}
"""One for each keyword that our schemas use; a new one fails until it has its own."""
