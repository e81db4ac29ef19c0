"""Every answer counted, by version and by second, and a clear line between two kinds of failure.

A bad version answers with errors: that is its own doing, carries its version and the mark of its
dial, and is what a release is judged by. Anything else that fails (no answer, the edge's own 503,
an error without the mark) is a *lost* request, and a release that goes well loses none.
"""

import math
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final

from rollout.sandbox.service.behaviour import DIALLED_HEADER, VERSION_HEADER

NO_VERSION: Final = ""
"""The version of an outcome that no pod answered."""

_LOST_KEPT: Final = 1000
_SMALLEST: Final = 1e-4
_STEP: Final = math.log(1.1)
_BAD_REQUEST: Final = 400
_SERVER_ERROR: Final = 500


class Kind(Enum):
    """What became of a request."""

    OK = "ok"
    DIALLED = "dialled"
    LOST = "lost"


@dataclass(frozen=True)
class Outcome:
    """One request: when it was sent (unix seconds), who answered what, after how long."""

    at: float
    kind: Kind
    version: str
    status: int | None
    seconds: float
    detail: str = ""


def judge(status: int, headers: Mapping[str, str]) -> tuple[Kind, str]:
    """Say what kind of answer this is, and from which version."""
    version = headers.get(VERSION_HEADER, NO_VERSION)
    if version and status < _BAD_REQUEST:
        return Kind.OK, version
    if version and status >= _SERVER_ERROR and headers.get(DIALLED_HEADER) == "error":
        return Kind.DIALLED, version
    return Kind.LOST, version


@dataclass(frozen=True)
class VersionCount:
    """Outcomes of one version. `latencies` counts answers by bucket; ask `quantile`."""

    kinds: Counter[Kind] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: Counter[int] = field(default_factory=Counter)

    @property
    def ok(self) -> int:
        """Good answers."""
        return self.kinds[Kind.OK]

    @property
    def dialled(self) -> int:
        """Errors that the version itself caused."""
        return self.kinds[Kind.DIALLED]

    @property
    def lost(self) -> int:
        """Failures that carry the version but not the mark of a dial."""
        return self.kinds[Kind.LOST]

    @property
    def total(self) -> int:
        """All of them."""
        return self.kinds.total()

    def quantile(self, share: float) -> float | None:
        """Seconds within which this share of answers came, about 10 % exact; None without any."""
        wanted, seen = share * self.latencies.total(), 0
        for bucket in sorted(self.latencies):
            seen += self.latencies[bucket]
            if seen >= wanted:
                return _SMALLEST * math.exp((bucket + 1) * _STEP)
        return None

    def since(self, earlier: "VersionCount") -> "VersionCount":
        """Give what was added after an earlier count."""
        return VersionCount(
            self.kinds - earlier.kinds,
            self.statuses - earlier.statuses,
            self.latencies - earlier.latencies,
        )

    def as_json(self) -> Mapping[str, Any]:
        """Counts and quantiles (seconds) for people and files."""
        return {
            **{kind.value: self.kinds[kind] for kind in Kind},
            "statuses": {str(status): n for status, n in sorted(self.statuses.items())},
            **{f"p{q}": self.quantile(q / 100) for q in (50, 90, 99)},
        }


@dataclass(frozen=True)
class Snapshot:
    """All outcomes up to a moment. `lost` keeps the first thousand, `lost_count` counts all."""

    at: float
    sent: int = 0
    by_version: Mapping[str, VersionCount] = field(default_factory=dict)
    by_second: Mapping[int, Counter[tuple[str, Kind]]] = field(default_factory=dict)
    lost: tuple[Outcome, ...] = ()
    lost_count: int = 0
    most_late: float = 0.0
    """The longest that the generator itself sent a request after its time, in seconds."""

    @property
    def answered(self) -> int:
        """Requests that are over, well or not."""
        return sum(count.total for count in self.by_version.values())

    def count(self, version: str) -> VersionCount:
        """Counts of one version, all zero when it never answered."""
        return self.by_version.get(version, VersionCount())

    def share(self, version: str) -> float:
        """Share of all answers from pods that this version gave; 0 without any."""
        total = sum(c.total for v, c in self.by_version.items() if v != NO_VERSION)
        return self.count(version).total / total if total else 0.0

    def since(self, earlier: "Snapshot") -> "Snapshot":
        """Give what was added after an earlier snapshot; seconds are those after it."""
        return replace(
            self,
            sent=self.sent - earlier.sent,
            by_version={v: c.since(earlier.count(v)) for v, c in self.by_version.items()},
            by_second={s: c for s, c in self.by_second.items() if s > earlier.at},
            lost=self.lost[len(earlier.lost) :],
            lost_count=self.lost_count - earlier.lost_count,
        )

    def as_json(self) -> Mapping[str, Any]:
        """The whole snapshot as JSON."""
        return {
            "at": self.at,
            "sent": self.sent,
            "answered": self.answered,
            "lost": self.lost_count,
            "mostLate": self.most_late,
            "versions": {v or "none": c.as_json() for v, c in sorted(self.by_version.items())},
            "seconds": [_second(s, c) for s, c in sorted(self.by_second.items())],
            "failures": [_failure(outcome) for outcome in self.lost],
        }


class Tally:
    """Counts outcomes while others look. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent = 0
        self._most_late = 0.0
        self._versions: dict[str, VersionCount] = {}
        self._seconds: dict[int, Counter[tuple[str, Kind]]] = {}
        self._lost: list[Outcome] = []
        self._lost_count = 0

    def sent(self, late: float) -> None:
        """Count a request that goes out, `late` seconds after its time."""
        with self._lock:
            self._sent += 1
            self._most_late = max(self._most_late, late)

    def record(self, outcome: Outcome) -> None:
        """Count how a request ended."""
        with self._lock:
            count = self._versions.setdefault(outcome.version, VersionCount())
            count.kinds[outcome.kind] += 1
            count.latencies[_bucket(outcome.seconds)] += 1
            if outcome.status is not None:
                count.statuses[outcome.status] += 1
            second = self._seconds.setdefault(int(outcome.at), Counter())
            second[outcome.version, outcome.kind] += 1
            if outcome.kind is Kind.LOST:
                self._note_lost(outcome)

    def snapshot(self) -> Snapshot:
        """Give all counts as of now."""
        with self._lock:
            return Snapshot(
                time.time(),
                self._sent,
                {v: _copy(c) for v, c in self._versions.items()},
                {s: Counter(c) for s, c in self._seconds.items()},
                tuple(self._lost),
                self._lost_count,
                self._most_late,
            )

    def _note_lost(self, outcome: Outcome) -> None:
        self._lost_count += 1
        if len(self._lost) < _LOST_KEPT:
            self._lost.append(outcome)


def _copy(count: VersionCount) -> VersionCount:
    return VersionCount(Counter(count.kinds), Counter(count.statuses), Counter(count.latencies))


def _bucket(seconds: float) -> int:
    return int(math.log(max(seconds, _SMALLEST) / _SMALLEST) / _STEP)


def _second(second: int, counts: Counter[tuple[str, Kind]]) -> Mapping[str, Any]:
    versions: dict[str, dict[str, int]] = {}
    for (version, kind), number in sorted(counts.items(), key=lambda item: item[0][0]):
        versions.setdefault(version or "none", {})[kind.value] = number
    return {"second": second, "versions": versions}


def _failure(outcome: Outcome) -> Mapping[str, Any]:
    return {
        "at": outcome.at,
        "version": outcome.version,
        "status": outcome.status,
        "detail": outcome.detail,
    }
