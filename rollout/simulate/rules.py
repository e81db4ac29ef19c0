"""Rules of custom kinds in CEL, held as the real API server holds them.

A rule that speaks of `oldSelf` is about changes, and asked only where it is known what a value was
before: not in plain lists. Any other is not asked of what a change leaves alone, so that objects
which are older than a rule can be changed elsewhere.

Of what Kubernetes adds to CEL, only the functions are here that our own kinds use. A rule with
another one counts as kept: practice goes on with people's own kinds, and the real server decides.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Final

import cel

from rollout.resources.writes import Object
from rollout.simulate.objects import EMPTY
from rollout.simulate.refusals import FieldError

RULES: Final = "x-kubernetes-validations"
FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "isSorted": lambda items: all(a <= b for a, b in pairwise(items)),
    "replace": lambda text, old, new: text.replace(old, new),
}
_UNKNOWN: Final = "Undefined variable or function"


@dataclass(frozen=True)
class _Rule:
    program: cel.Program
    message: str
    about_change: bool

    def fault(self, new: Any, old: Any) -> str | None:
        """What it has against a value; None when it is kept."""
        known = {"self": new, "oldSelf": old} if self.about_change else {"self": new}
        try:
            kept = self.program.execute(cel.Context(known, FUNCTIONS))
        except (RuntimeError, ValueError, TypeError, KeyError) as error:
            if str(error).startswith(_UNKNOWN):
                return None
            return f"{error} evaluating rule: {self.message}"
        return None if kept is True else self.message


@dataclass(frozen=True)
class Value:
    """A value before and after a change; `before` is None where it is new or cannot be told."""

    path: str
    now: Any
    before: Any
    unchanged: bool

    def part(self, path: str, now: Any, before: Any) -> "Value":
        """A value within; one whose past cannot be told is as unchanged as what it lies in."""
        same = self.unchanged if before is None else now == before
        return Value(f"{self.path}{path}".removeprefix("."), now, before, same)


class Rules:
    """The rules of a schema, and of all that lies below it."""

    def __init__(self, schema: Object) -> None:
        """Take a structural schema."""
        self._own = tuple(filter(None, map(_compiled, schema.get(RULES) or ())))
        self._fields = _with_rules(schema.get("properties") or EMPTY)
        self._others = _of(schema.get("additionalProperties"))
        self._items = _of(schema.get("items"))
        self._keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())

    def __bool__(self) -> bool:
        return bool(self._own or self._fields or self._others or self._items)

    def field(self, name: str) -> "Rules":
        """The rules of a field."""
        return self._fields.get(name) or Rules(EMPTY)

    def broken(self, new: Any, old: Any, path: str = "") -> list[FieldError]:
        """What they have against a value; `old` is what it was before, None for a new one."""
        return list(self.faults(Value(path, new, old, old is not None and new == old)))

    def faults(self, value: Value) -> Iterator[FieldError]:
        """What they have against a value, and against all that it holds."""
        for rule in self._own:
            if (value.before is None) if rule.about_change else value.unchanged:
                continue
            if fault := rule.fault(value.now, value.before):
                said = f"Invalid value: {fault}"
                yield FieldError("FieldValueInvalid", value.path or "<nil>", said)
        if isinstance(value.now, Mapping):
            yield from self._in_map(value)
        elif isinstance(value.now, Sequence) and self._items:
            yield from self._in_list(value, self._items)

    def _in_map(self, value: Value) -> Iterator[FieldError]:
        before = value.before or EMPTY
        for key, now in value.now.items():
            if rules := self._fields.get(key, self._others):
                yield from rules.faults(value.part(f".{key}", now, before.get(key)))

    def _in_list(self, value: Value, rules: "Rules") -> Iterator[FieldError]:
        before = {self._key(item): item for item in value.before or ()} if self._keys else {}
        for index, now in enumerate(value.now):
            was = before.get(self._key(now)) if self._keys else None
            yield from rules.faults(value.part(f"[{index}]", now, was))

    def _key(self, item: Object) -> tuple[Any, ...]:
        return tuple(item.get(key) for key in self._keys)


def _of(schema: object) -> Rules | None:
    """The rules of a schema, None when there are none in it."""
    return (Rules(schema) or None) if isinstance(schema, Mapping) else None


def _with_rules(schemas: Mapping[str, Object]) -> Mapping[str, Rules]:
    found = {name: _of(schema) for name, schema in schemas.items()}
    return {name: rules for name, rules in found.items() if rules}


def _compiled(rule: Object) -> _Rule | None:
    text = str(rule["rule"])
    program = _program(text)
    if program is None:
        return None
    said = str(rule.get("message") or f"failed rule: {text}")
    return _Rule(program, said, "oldSelf" in program.variables())


@cache
def _program(text: str) -> cel.Program | None:
    """None for what the library cannot read, such as optional fields (`.?`)."""
    try:
        return cel.compile(text)
    except ValueError:
        return None
