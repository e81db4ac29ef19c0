"""How a process hears that it shall end, whatever it is doing at that moment."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
HEARD_WITHIN: Final = 0.5
"""Seconds. A signal that comes just before a wait begins, or to another thread, wakes nobody."""


class Orders:
    """Orders to end: of the system by signal, or of a thread by word."""

    def __init__(self) -> None:
        self._given: SimpleQueue[str] = SimpleQueue()

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT for orders meanwhile. Main thread only."""
        before = {number: signal.signal(number, self.signalled) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def give(self, why: str) -> None:
        """Order the end."""
        self._given.put(why)

    def wait(self) -> str:
        """Wait for the first order; gives its reason. Main thread only."""
        while True:
            try:
                return self._given.get(timeout=HEARD_WITHIN)
            except Empty:
                continue  # a signal that nobody was woken for has been heard by now

    def signalled(self, number: int, _frame: FrameType | None) -> None:
        """Pass the order on: of all queues and locks only this one may be used by a handler."""
        self._given.put(signal.Signals(number).name)
