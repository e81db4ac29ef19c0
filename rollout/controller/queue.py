"""Which Rollouts are to be looked at next: names only, so that nothing can branch on an event.

A key waits at most once, however often it is added, and is worked on by one thread at a time:
what is added meanwhile is looked at once more afterwards. Keys that were woken by a person's
action or by a Fail verdict are served before all others, because requests are being lost. When
many go back at once, each has its traffic moved before any of them is cleared away.
"""

import threading
from collections import OrderedDict
from enum import IntEnum
from typing import Final, NamedTuple

from rollout.kube.reflector import BackOff


class Key(NamedTuple):
    """A Rollout."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Lane(IntEnum):
    """Who is served first."""

    URGENT = 0
    """Woken by a person or by a Fail: its first writes may move traffic."""
    BACK = 1
    """It goes back, and has had its first pass."""
    ORDINARY = 2


ERRORS: Final = BackOff(first=0.5, longest=15.0)
"""Waits after a failed pass, in seconds."""

CONTESTS: Final = BackOff(first=0.02, longest=2.0)
"""Waits after somebody else wrote first: the cache is a moment behind."""


class WorkQueue:
    """Keys to be worked on. Safe to use from many threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lanes: dict[Lane, OrderedDict[Key, None]] = {lane: OrderedDict() for lane in Lane}
        self._busy: set[Key] = set()
        self._again: dict[Key, Lane] = {}
        self._stopped = False

    def __len__(self) -> int:
        with self._changed:
            return sum(map(len, self._lanes.values())) + len(self._again)

    def add(self, key: Key, lane: Lane = Lane.ORDINARY) -> None:
        """Have a key looked at soon, before all that wait in later lanes."""
        with self._changed:
            if key in self._busy:
                self._again[key] = min(lane, self._again.get(key, lane))
            else:
                self._enqueue(key, lane)

    def take(self, timeout: float | None = None, *, urgent_only: bool = False) -> Key | None:
        """Wait for a key, for so many seconds at most; None when there is none, or after `stop`.

        `urgent_only`: none of the last lane. `done` must follow.
        """
        served = [lane for lane in Lane if lane is not Lane.ORDINARY or not urgent_only]

        def first() -> OrderedDict[Key, None] | None:
            return next((self._lanes[lane] for lane in served if self._lanes[lane]), None)

        with self._changed:
            self._changed.wait_for(lambda: self._stopped or first() is not None, timeout)
            found = first()
            if self._stopped or found is None:
                return None
            key, _ = found.popitem(last=False)
            self._busy.add(key)
            return key

    def done(self, key: Key) -> None:
        """Say that the work on a key is over; what was added meanwhile comes up now."""
        with self._changed:
            self._busy.discard(key)
            if key in self._again:
                self._enqueue(key, self._again.pop(key))

    def stop(self) -> None:
        """Give out no more keys."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _enqueue(self, key: Key, lane: Lane) -> None:
        waits = next((one for one in Lane if key in self._lanes[one]), None)
        if waits is not None and waits <= lane:
            return
        if waits is not None:
            del self._lanes[waits][key]
        self._lanes[lane][key] = None
        self._changed.notify_all()  # not every waiter may take every key


class Failures:
    """How often a key failed in a row, and how long to wait after that."""

    def __init__(self, back_off: BackOff) -> None:
        self._back_off = back_off
        self._lock = threading.Lock()
        self._counts: dict[Key, int] = {}

    def failed(self, key: Key) -> float:
        """Count a failure; gives the seconds to wait, longer each time and with jitter."""
        with self._lock:
            self._counts[key] = self._counts.get(key, 0) + 1
            return self._back_off.wait(self._counts[key])

    def forget(self, key: Key) -> None:
        """End the row of failures."""
        with self._lock:
            self._counts.pop(key, None)
