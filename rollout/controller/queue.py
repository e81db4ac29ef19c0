"""A work queue of keys: each waits once and is worked on by one worker at a time.

A person's request is never behind other work: urgent keys have a lane of their own.
"""

import random
import threading
from collections import OrderedDict
from typing import Final, TypeAlias

Key: TypeAlias = tuple[str, str]
"""Namespace and name of a Rollout. A key carries no event, so nothing can branch on one."""

FIRST_BACK_OFF: Final = 0.2
LONGEST_BACK_OFF: Final = 30.0


class WorkQueue:
    """Keys in order, urgent ones first. Safe to use from many threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._urgent: OrderedDict[Key, None] = OrderedDict()
        self._waiting: OrderedDict[Key, None] = OrderedDict()
        self._working: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._closed = False

    def add(self, key: Key, *, urgent: bool = False) -> None:
        """Have a key looked at; once, however often it is added before that."""
        with self._changed:
            if urgent:
                self._waiting.pop(key, None)
                self._urgent[key] = None
            elif key not in self._urgent:
                self._waiting[key] = None
            self._changed.notify()

    def get(self, timeout: float | None = None) -> Key | None:
        """Take the next key; None when the queue is closed or the time (seconds) is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._next() is not None, timeout)
            key = None if self._closed else self._next()
            if key is not None:
                self._urgent.pop(key, None)
                self._waiting.pop(key, None)
                self._working.add(key)
            return key

    def _next(self) -> Key | None:
        lanes = (*self._urgent, *self._waiting)
        return next((key for key in lanes if key not in self._working), None)

    def done(self, key: Key) -> None:
        """Say that a key is worked on no longer; it may be taken again."""
        with self._changed:
            self._working.discard(key)
            self._changed.notify()

    def failed(self, key: Key) -> float:
        """Count a failure; gives the seconds to wait before the next try, with jitter."""
        with self._changed:
            count = self._failures.get(key, 0)
            self._failures[key] = count + 1
        wait = min(FIRST_BACK_OFF * 2.0 ** min(count, 16), LONGEST_BACK_OFF)
        return wait * random.uniform(0.5, 1.5)  # noqa: S311 - jitter

    def succeeded(self, key: Key) -> None:
        """Forget earlier failures of a key."""
        with self._changed:
            self._failures.pop(key, None)

    def close(self) -> None:
        """Give out no more keys and wake all who wait."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        """Count the keys that wait."""
        with self._changed:
            return len(self._urgent) + len(self._waiting)
