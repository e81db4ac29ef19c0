"""Events about a service and its releases: which belong to it, and what each says."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from rollout.report.pod_words import moment_of
from rollout.resources.objects import name_of
from rollout.resources.writes import Object

_HASH: Final = "[bcdfghjklmnpqrstvwxz2456789]"
"""What Kubernetes makes hashes and the ends of pod names of: no vowels, nothing that misleads."""
_END: Final = 5
_LONGEST_PREFIX: Final = 58
"""Kubernetes cuts what it puts the end of a pod's name to: the dash goes first, then the hash."""
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Concerned:
    """Names of the objects whose events are wanted, by kind; `deployments` stand for all below.

    `replica_sets` are those that are there, for pods whose names are cut so short that they do
    not tell whose they are.
    """

    named: Mapping[str, frozenset[str]]
    deployments: tuple[str, ...]
    replica_sets: frozenset[str] = frozenset()

    def covers(self, event: Object) -> bool:
        """Whether an event is about one of them, also about a pod that has gone since."""
        about = event.get("regarding") or {}
        kind, name = str(about.get("kind", "")), str(about.get("name", ""))
        if name in self.named.get(kind, frozenset()):
            return True
        if kind == "Pod":
            return self._has_made(name)
        return kind == "ReplicaSet" and self._has_hash(name)

    def _has_made(self, pod: str) -> bool:
        """Whether a ReplicaSet of ours made a pod of this name."""
        stem = pod[:-_END]
        if re.fullmatch(f"{_HASH}{{{_END}}}", pod[-_END:]) is None:
            return False
        if any(stem == f"{name}-"[:_LONGEST_PREFIX] for name in self.replica_sets):
            return True
        return (stem.endswith("-") or len(stem) == _LONGEST_PREFIX) and self._has_hash(
            stem.removesuffix("-")
        )

    def _has_hash(self, name: str) -> bool:
        return any(
            re.fullmatch(f"{re.escape(deployment)}-{_HASH}{{6,10}}", name)
            for deployment in self.deployments
        )


@dataclass(frozen=True)
class EventRow:
    """One event, worded; `count` is how often it came."""

    at: datetime
    type: str
    reason: str
    object: str
    message: str
    count: int

    def to_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {**vars(self), "at": self.at.isoformat()}


def event_rows(events: Iterable[Object], concerned: Concerned) -> list[EventRow]:
    """Word the events of a service, the newest last."""
    rows = [event_row(event) for event in events if concerned.covers(event)]
    return sorted(rows, key=lambda row: (row.at, row.object))


def event_row(event: Object) -> EventRow:
    """Word one event."""
    about, series = event.get("regarding") or {}, event.get("series") or {}
    return EventRow(
        at=_last(event),
        type=str(event.get("type", "")),
        reason=str(event.get("reason", "")),
        object=f"{about.get('kind', '')}/{about.get('name', '')}",
        message=str(event.get("note", "")).strip(),
        count=int(series.get("count") or event.get("deprecatedCount") or 1),
    )


def key_of(event: Object) -> tuple[str, str]:
    """Tell an event, as it is now, from others and from what it was."""
    return name_of(event), str(event["metadata"].get("resourceVersion", ""))


def _last(event: Object) -> datetime:
    """Say when it came last: the newer of the two forms counts."""
    series = event.get("series") or {}
    said = (
        series.get("lastObservedTime"),
        event.get("deprecatedLastTimestamp"),
        event.get("eventTime"),
        event["metadata"].get("creationTimestamp"),
    )
    return next((moment for text in said if (moment := moment_of(text)) is not None), _LONG_AGO)
