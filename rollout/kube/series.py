"""Which Events are worth writing: repeats become a count, storms are cut. No thread, no client.

The API server refuses a changed note, so only Events that are the same to the letter form a
series. Numbers in a note make every Event a new one; what bounds those is the allowance that
each object has.
"""

import secrets
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final, TypeAlias

from rollout.resources.words import GROUP
from rollout.resources.writes import Create, Kind, Object, Patch, PatchType, Write

CONTROLLER: Final = f"{GROUP}/rollout"
NOTE_BYTES: Final = 1024
WORD_BYTES: Final = 128
"""Bound of the API server for reason, action and reportingInstance."""

NAME_LETTERS: Final = 230
MICROSECONDS: Final = "%Y-%m-%dT%H:%M:%S.%fZ"

Key: TypeAlias = tuple[str, ...]


class EventLevel(Enum):
    """How people are shown an Event."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True)
class Told:
    """One Event as it was recorded; `regarding` and `related` are references."""

    regarding: Object
    reason: str
    note: str
    level: EventLevel
    action: str
    related: Object | None
    at: datetime

    @property
    def subject(self) -> Key:
        """The object that it is about."""
        fields = ("apiVersion", "kind", "namespace", "name", "uid")
        return tuple(self.regarding.get(field, "") for field in fields)

    @property
    def key(self) -> Key:
        """What two Events of one series have in common: all but the time."""
        related = str(self.related and self.related.get("name"))
        return (*self.subject, self.level.value, self.reason, self.action, self.note, related)

    @property
    def namespace(self) -> str:
        """Where it is kept: with its object; those of cluster-wide kinds are in `default`."""
        return self.regarding.get("namespace") or "default"


@dataclass(frozen=True)
class Limits:
    """How much is written.

    `remembered` series and objects are known at a time. A repeat is written at most every
    `series_seconds`. About one object come `burst` Events at once, and one more each
    `refill_seconds`.
    """

    remembered: int = 512
    series_seconds: float = 60.0
    burst: int = 25
    refill_seconds: float = 30.0


@dataclass
class _Series:
    told: Told
    name: str
    written_at: float
    count: int = 1
    written: int = 1


@dataclass
class _Allowance:
    left: float
    at: float


class Aggregator:
    """Turns what is told into writes. Times are seconds of any steady clock."""

    def __init__(self, instance: str, limits: Limits) -> None:
        self._instance = cut(instance, WORD_BYTES)
        self._limits = limits
        self._series: OrderedDict[Key, _Series] = OrderedDict()
        self._allowances: OrderedDict[Key, _Allowance] = OrderedDict()

    def take(self, told: Told, at: float) -> Write | None:
        """Give what is to be written now; None for a repeat that can wait, or one too many."""
        series = self._series.get(told.key)
        if series is None:
            return self._begin(told, at) if self._is_allowed(told, at) else None
        self._series.move_to_end(told.key)
        series.told = told
        series.count += 1
        return self._repeat(series, at) if self._is_due(series, at) else None

    def is_known(self, told: Told) -> bool:
        """Whether it is part of a series."""
        return told.key in self._series

    def due(self, at: float) -> Iterator[Write]:
        """Give the repeats that have waited long enough (at=inf: all that wait)."""
        for series in list(self._series.values()):
            if series.count > series.written and self._is_due(series, at):
                yield self._repeat(series, at)

    def forget(self, told: Told) -> None:
        """End a series: what is the same from now on is written as a new Event."""
        self._series.pop(told.key, None)

    def told_by(self, write: Write) -> Told | None:
        """Give what a write tells, while its series is remembered."""
        name = write.body["metadata"]["name"] if isinstance(write, Create) else write.name
        return next((s.told for s in self._series.values() if s.name == name), None)

    def _is_due(self, series: _Series, at: float) -> bool:
        return series.written == 1 or at - series.written_at >= self._limits.series_seconds

    def _is_allowed(self, told: Told, at: float) -> bool:
        allowance = self._allowances.setdefault(told.subject, _Allowance(self._limits.burst, at))
        self._allowances.move_to_end(told.subject)
        if len(self._allowances) > self._limits.remembered:
            self._allowances.popitem(last=False)
        refilled = allowance.left + (at - allowance.at) / self._limits.refill_seconds
        allowance.left, allowance.at = min(refilled, self._limits.burst), at
        if allowance.left < 1:
            return False
        allowance.left -= 1
        return True

    def _begin(self, told: Told, at: float) -> Create:
        name = f"{told.regarding.get('name', '')[:NAME_LETTERS]}.{secrets.token_hex(8)}"
        self._series[told.key] = _Series(told, name, at)
        if len(self._series) > self._limits.remembered:
            self._series.popitem(last=False)
        return Create(Kind.EVENT, told.namespace, self._body(told, name))

    def _repeat(self, series: _Series, at: float) -> Patch:
        series.written, series.written_at = series.count, at
        last = series.told.at.strftime(MICROSECONDS)
        body = {"series": {"count": series.count, "lastObservedTime": last}}
        return Patch(Kind.EVENT, series.told.namespace, series.name, PatchType.MERGE, body)

    def _body(self, told: Told, name: str) -> dict[str, Any]:
        return {
            "apiVersion": Kind.EVENT.value.api_version,
            "kind": Kind.EVENT.value.kind,
            "metadata": {"namespace": told.namespace, "name": name},
            "eventTime": told.at.strftime(MICROSECONDS),
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance,
            "type": told.level.value,
            "reason": cut(told.reason, WORD_BYTES),
            "action": cut(told.action, WORD_BYTES),
            "note": cut(told.note, NOTE_BYTES),
            "regarding": dict(told.regarding),
            **({"related": dict(told.related)} if told.related else {}),
        }


def reference(thing: Object) -> Object:
    """Name an object as Events do, so that `kubectl describe` finds them."""
    metadata = thing.get("metadata") or {}
    fields = {
        "apiVersion": thing.get("apiVersion"),
        "kind": thing.get("kind"),
        **{field: metadata.get(field) for field in ("namespace", "name", "uid")},
    }
    return {field: value for field, value in fields.items() if value}


def cut(text: str, most: int) -> str:
    """Shorten a text to so many bytes of UTF-8, with an ellipsis where it was cut."""
    data = text.encode()
    if len(data) <= most:
        return text
    return data[: most - len("…".encode())].decode(errors="ignore") + "…"
