"""Changes from the reflectors' threads to the streams of the event loop, bounded per reader."""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum, auto

from rollout.kube.cache import Change
from rollout.resources.writes import Kind

Wanted = Callable[[Change], bool]


class End(Enum):
    """Why nothing more comes."""

    STOPPING = auto()
    """The server is being stopped."""
    BEHIND = auto()
    """The reader fell too far behind: what it missed is gone, so it must begin anew."""


class Reader:
    """One stream's queue. Belongs to the event loop but for `put` and `end`."""

    def __init__(self, wanted: Wanted, size: int) -> None:
        self._wanted = wanted
        self._size = size
        self._queue: deque[Change] = deque()
        self._end: End | None = None
        self._something = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def tell(self, change: Change) -> None:
        """Put a change from any thread."""
        if self._wanted(change):
            self._call(lambda: self._put(change))

    def end(self, why: End) -> None:
        """Let nothing more come; from any thread."""
        self._call(lambda: self._stop(why))

    async def next(self, seconds: float) -> Change | End | None:
        """Give what comes next, None when nothing came in that time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._something.wait()
        if self._end is not None:
            return self._end
        found = self._queue.popleft() if self._queue else None
        if not self._queue:
            self._something.clear()
        return found

    def _put(self, change: Change) -> None:
        if len(self._queue) >= self._size:
            self._queue.clear()
            self._stop(End.BEHIND)
        elif self._end is None:
            self._queue.append(change)
            self._something.set()

    def _stop(self, why: End) -> None:
        self._end = self._end or why
        self._something.set()

    def _call(self, function: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it the stream
            self._loop.call_soon_threadsafe(function)


class Feed:
    """Hands changes of releases to all readers. Safe to use from many threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._readers: set[Reader] = set()
        self._stopping = False

    def __len__(self) -> int:
        return len(self._readers)

    def hear(self, change: Change) -> None:
        """Pass a change on; never waits."""
        if change.kind is not Kind.RELEASE:
            return
        with self._lock:
            readers = tuple(self._readers)
        for reader in readers:
            reader.tell(change)

    def stop(self) -> None:
        """End all streams, also those that have yet to begin."""
        with self._lock:
            self._stopping = True
            readers = tuple(self._readers)
        for reader in readers:
            reader.end(End.STOPPING)

    @contextlib.contextmanager
    def reader(self, wanted: Wanted) -> Iterator[Reader]:
        """Follow all changes from now on. Only in the event loop."""
        reader = Reader(wanted, self._size)
        with self._lock:
            self._readers.add(reader)
            stopping = self._stopping
        if stopping:
            reader.end(End.STOPPING)
        try:
            yield reader
        finally:
            with self._lock:
                self._readers.discard(reader)
