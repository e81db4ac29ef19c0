"""An input document read with a ledger: what became of each of its fields.

Every field is asked for through a Source, which writes down what is done with it. What nobody has
asked for is found at the end and listed as having no equal, so that nothing can be dropped
silently, not even a field that did not exist when this was written. So a mapping is settled as a
whole only where it is handed on, where it has no equal, or where all of it does nothing here.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeAlias

Path: TypeAlias = tuple[str | int, ...]

UNKNOWN: Final = "rollout convert does not know this field: look at what it does, and do it by hand"


class UnreadableError(ValueError):
    """A document that cannot be read: the message names file, document, field, value and fix."""


class Fate(StrEnum):
    """What becomes of a field."""

    CONVERTED = "Converted"
    ASSUMED = "Assumed"
    """Converted to something that is near, but not the same."""
    NOT_NEEDED = "NotNeeded"
    NO_EQUAL = "NoEqual"


@dataclass(frozen=True)
class Finding:
    """One field of the input, and what became of it."""

    object: str
    field: str
    value: Any
    fate: Fate
    what: str
    """What is done instead, what to do by hand, or why nothing is needed."""


@dataclass
class Ledger:
    """What became of the fields of one document."""

    where: str
    """File and number of the document, for messages."""
    subject: str
    """The object, as people name it: `Rollout shop/checkout`."""
    body: Mapping[str, Any]
    found: dict[Path, Finding] = field(default_factory=dict)

    def record(self, path: Path, value: Any, fate: Fate, what: str) -> None:
        """Write down what becomes of a field and of all inside it; the last word holds."""
        inside = [one for one in self.found if one[: len(path)] == path]
        for one in inside:
            del self.found[one]
        self.found[path] = Finding(self.subject, worded(path), value, fate, what)

    def close(self) -> tuple[Finding, ...]:
        """Give what became of every field; what nobody has asked for has no equal."""
        for path, value in list(self._leaves((), self.body)):
            self.record(path, value, Fate.NO_EQUAL, UNKNOWN)
        return tuple(self.found.values())

    def _leaves(self, path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
        """Give what is not accounted for; `null` is how Kubernetes writes that nothing is there."""
        if path in self.found or value is None:
            return
        inner: Iterator[tuple[str | int, Any]] = iter(())
        if isinstance(value, Mapping):
            inner = iter([(str(key), item) for key, item in value.items()])
        elif isinstance(value, list):
            inner = iter(enumerate(value))
        if isinstance(value, Mapping | list) and value:
            for key, item in inner:
                yield from self._leaves((*path, key), item)
        elif path:
            yield path, value


@dataclass(frozen=True)
class Source:
    """A mapping of an input document. Whatever is read from it is written down."""

    ledger: Ledger
    path: Path
    value: Mapping[str, Any]

    def has(self, key: str) -> bool:
        """Whether the field is there; `null` is not."""
        return self.value.get(key) is not None

    def peek(self, key: str) -> Any:
        """Look at a field without deciding what becomes of it."""
        return self.value.get(key)

    def keep(self, key: str, to: str = "") -> Any:
        """Give a field that is handed on with all inside it; `to` says where."""
        return self._settle(key, Fate.CONVERTED, to)

    def take(self, key: str, to: str = "") -> Any:
        """Give a field that is converted; `to` says into what.

        Of what holds mappings nothing is settled by this: each field inside is asked for by itself.
        """
        return self._settle(key, Fate.CONVERTED, to) if self._plain(key) else self.peek(key)

    def assume(self, key: str, what: str) -> Any:
        """Give a field that is converted into something near it; mappings as with take()."""
        return self._settle(key, Fate.ASSUMED, what) if self._plain(key) else self.peek(key)

    def no_equal(self, key: str, what: str) -> Any:
        """Give a field that has no equal, and say what to do."""
        return self._settle(key, Fate.NO_EQUAL, what)

    def not_needed(self, key: str, why: str) -> Any:
        """Give a field that needs no equal, and say why."""
        return self._settle(key, Fate.NOT_NEEDED, why)

    def none_equal(self, advice: Mapping[str, str]) -> None:
        """Settle several fields that have no equal, each with what to do."""
        for key, what in advice.items():
            self.no_equal(key, what)

    def none_needed(self, reasons: Mapping[str, str]) -> None:
        """Settle several fields that need no equal, each with why."""
        for key, why in reasons.items():
            self.not_needed(key, why)

    def whole(self, fate: Fate, what: str) -> None:
        """Settle everything that is here."""
        self.ledger.record(self.path, dict(self.value), fate, what)

    def known(self, key: str, inner: Iterable[str], fate: Fate, what: str) -> None:
        """Settle the fields of a mapping that are known; close() finds any other."""
        part = self.part(key)
        if not part.value:
            self._settle(key, fate, what)
        for one in inner:
            part._settle(one, fate, what)  # noqa: SLF001 - another of the same class

    def number(self, key: str) -> int | None:
        """Look at a whole number. Raises UnreadableError for anything else."""
        value = self.peek(key)
        if value is None or type(value) is int:
            return value
        raise self.unreadable(key, "a whole number")

    def text(self, key: str) -> str | None:
        """Look at a text. Raises UnreadableError for anything else."""
        value = self.peek(key)
        if value is None or isinstance(value, str):
            return value
        raise self.unreadable(key, "a text")

    def flag(self, key: str) -> bool | None:
        """Look at a yes or no. Raises UnreadableError for anything else."""
        value = self.peek(key)
        if value is None or isinstance(value, bool):
            return value
        raise self.unreadable(key, "true or false")

    def part(self, key: str) -> "Source":
        """Give a mapping inside, an empty one where it is left out."""
        value = self.peek(key)
        if value is None or isinstance(value, Mapping):
            return Source(self.ledger, (*self.path, key), value or {})
        raise self.unreadable(key, "a mapping of fields")

    def parts(self, key: str) -> list["Source"]:
        """Give the mappings of a list inside, none where it is left out."""
        value = self.peek(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
            raise self.unreadable(key, "a list of mappings")
        return [Source(self.ledger, (*self.path, key, i), one) for i, one in enumerate(value)]

    def texts(self, key: str) -> list[str]:
        """Look at a list of texts, none where it is left out."""
        value = self.peek(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self.unreadable(key, "a list of texts")
        return list(value)

    def unreadable(self, key: str, wanted: str) -> UnreadableError:
        """Word the error for a field that is not what it should be."""
        said = worded((*self.path, key))
        return UnreadableError(
            f"{self.ledger.where}: {self.ledger.subject}: {said} is {self.peek(key)!r}, "
            f"not {wanted}: correct it"
        )

    def _plain(self, key: str) -> bool:
        """Whether no mapping is in a field, in which there could be one that nobody asks for."""
        value = self.peek(key)
        inner = value if isinstance(value, list) else [value]
        return not any(isinstance(one, Mapping | list) and one for one in inner)

    def _settle(self, key: str, fate: Fate, what: str) -> Any:
        value = self.peek(key)
        if value is not None:
            self.ledger.record((*self.path, key), value, fate, what)
        return value


def worded(path: Path) -> str:
    """Say a place as people write it: `spec.strategy.canary.steps[0].setWeight`."""
    said = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return said.removeprefix(".")
