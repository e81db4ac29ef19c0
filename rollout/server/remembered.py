"""Answers that are good for a moment: asked once, used by every request of the next seconds."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


class Remembered(Generic[KeyT, ValueT]):
    """At most `size` answers, the longest unused forgotten first. Safe to use from many threads.

    `seconds` says for how long an answer is good. Errors are never kept.
    """

    def __init__(
        self,
        size: int,
        seconds: Callable[[ValueT], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._size = size
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[KeyT, tuple[float, ValueT]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: KeyT, ask: Callable[[], ValueT]) -> ValueT:
        """Give what is known, else ask; raises what asking raises."""
        with self._lock:
            until, value = self._kept.get(key, (0.0, None))
            if value is not None and self._clock() < until:
                self._kept.move_to_end(key)
                return value
        value = ask()
        with self._lock:
            self._kept[key] = (self._clock() + self._seconds(value), value)
            self._kept.move_to_end(key)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return value
