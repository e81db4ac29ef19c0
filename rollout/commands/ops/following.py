"""Logs of both versions at once: line by line, each with its track and pod.

Without following, the lines come in the order of their moments. With it they come as they are
said, from pods that come later too; a pod that goes ends its part in silence. Memory is bounded:
a reader waits while nobody takes its lines.
"""

import heapq
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from queue import Empty, Full, Queue, SimpleQueue
from typing import Final, Protocol

from rollout.commands.ops.family import Member, container_of
from rollout.commands.patience import PASSING, Patience
from rollout.commands.refusal import CommandRefusedError
from rollout.kube.errors import ClusterError, Refused, Unreachable
from rollout.kube.podlogs import LogLine, LogRequest, LogSource, follow_log, is_gone
from rollout.translation.sides import Side

MOST: Final = 50
"""Logs read at once: each is a connection to the API server."""
LINES: Final = 1000
"""Lines that may wait to be taken."""
LOOK_SECONDS: Final = 1.0


class Source(LogSource, Protocol):
    """Where logs are read from, by threads that can be stopped."""

    def interrupt(self, thread_id: int) -> None:
        """Break the call that a thread is waiting on."""
        ...


@dataclass(frozen=True)
class Wish:
    """What is wanted of the logs. `container` None: the one whose image is the version."""

    namespace: str
    container: str | None = None
    version_container: str = ""
    previous: bool = False
    tail: int | None = None
    since: int | None = None

    def request(self, member: Member) -> LogRequest:
        """Ask it of one pod. Raises CommandRefusedError for a container that it has not."""
        container = container_of(member.pod, self.container, self.version_container)
        return LogRequest(
            self.namespace,
            member.name,
            container,
            previous=self.previous,
            tail=self.tail,
            since=self.since,
        )


@dataclass(frozen=True)
class Said:
    """A line, and who said it."""

    side: Side
    pod: str
    container: str
    line: LogLine


def read_logs(
    source: LogSource, found: Sequence[Member], wish: Wish, note: Callable[[str], None]
) -> Generator[Said]:
    """Give what was said so far, in the order of its moments; `note` hears of logs without lines.

    Raises CommandRefusedError when too many pods are meant, ClusterError for the cluster.
    """
    _refuse_many(found)
    yield from heapq.merge(
        *(_lines(source, member, wish, note) for member in found),
        key=lambda said: said.line.at,
    )


def _refuse_many(found: Sequence[Member]) -> None:
    if len(found) > MOST:
        raise CommandRefusedError(
            f"{len(found)} pods are meant, and at most {MOST} logs are read at once: choose "
            "--track or --pod"
        )


def _lines(
    source: LogSource, member: Member, wish: Wish, note: Callable[[str], None]
) -> Iterator[Said]:
    request = wish.request(member)
    try:
        for line in follow_log(source, request, lambda: False):
            yield Said(member.side, member.name, request.container, line)
    except (Refused, Unreachable) as error:
        if not (is_gone(error) or isinstance(error, PASSING)):  # a node that is away hides no other
            raise
        note(f"{member.side} {member.name}: {error}")


_Key = tuple[str, str, int]


def _to_nobody(_: str) -> None:
    """Drop what is said."""


@dataclass
class Follower:
    """Follows the logs of the pods that `look` gives, again and again."""

    source: Source
    look: Callable[[], Sequence[Member]]
    wish: Wish
    note: Callable[[str], None] = _to_nobody
    """Hears of pods that are left out."""
    _queue: "Queue[tuple[str, Said]]" = field(default_factory=lambda: Queue(LINES), init=False)
    _again: "SimpleQueue[_Key]" = field(default_factory=SimpleQueue, init=False)
    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _threads: dict[_Key, threading.Thread] = field(default_factory=dict, init=False)
    _begun: set[_Key] = field(default_factory=set, init=False)
    _last: dict[str, str] = field(default_factory=dict, init=False)
    _failure: ClusterError | None = field(default=None, init=False)
    _left_out: frozenset[str] = field(default=frozenset(), init=False)

    def lines(self) -> Generator[Said]:
        """Give what is said, until closed. Raises CommandRefusedError, ClusterError."""
        first = self.look()
        _refuse_many(first)
        self._attach(first, self.wish)
        looked, patience = time.monotonic(), Patience()
        try:
            while True:
                yield from self._taken(looked + LOOK_SECONDS)
                if self._failure is not None:
                    raise self._failure
                looked = time.monotonic()
                try:
                    self._attach(self.look(), replace(self.wish, tail=None))
                    patience.heard()
                except PASSING as error:
                    patience.bear(error)
        finally:
            self.close()

    def close(self) -> None:
        """End all readers."""
        self._stop.set()
        for thread in self._threads.values():
            if thread.ident is not None and thread.is_alive():
                self.source.interrupt(thread.ident)

    def _taken(self, until: float) -> Iterator[Said]:
        while (left := until - time.monotonic()) > 0:
            try:
                uid, said = self._queue.get(timeout=left)
            except Empty:
                return
            self._last[uid] = said.line.stamp
            yield said

    def _attach(self, found: Sequence[Member], wish: Wish) -> None:
        """Begin to read what is not read yet: pods that came, containers that began anew."""
        self._threads = {key: one for key, one in self._threads.items() if one.is_alive()}
        while not self._again.empty():
            self._begun.discard(self._again.get())
        present = {member.uid for member in found}
        self._begun = {key for key in self._begun if key[0] in present}
        self._last = {uid: last for uid, last in self._last.items() if uid in present}
        left_out = list[str]()
        for member in found:
            request = replace(wish.request(member), follow=True)
            key = (member.uid, request.container, _restarts(member, request.container))
            if key in self._begun:
                continue
            if len(self._threads) < MOST:
                self._begin(key, member, request)
            else:
                left_out.append(member.name)
        self._say_who_is_left_out(left_out)

    def _say_who_is_left_out(self, names: list[str]) -> None:
        """Name each once; one that finds room later begins then."""
        new = [name for name in names if name not in self._left_out]
        self._left_out = frozenset(names)
        if new:
            self.note(
                f"not followed: {', '.join(new)}, because at most {MOST} logs are read at once: "
                "choose --track or --pod"
            )

    def _begin(self, key: _Key, member: Member, request: LogRequest) -> None:
        self._begun.add(key)
        resumed = replace(request, since_time=self._last.get(member.uid, ""))
        thread = threading.Thread(
            target=self._read, args=(key, member, resumed), name=f"log-{member.name}", daemon=True
        )
        self._threads[key] = thread
        thread.start()

    def _read(self, key: _Key, member: Member, request: LogRequest) -> None:
        try:
            for line in follow_log(self.source, request, self._stop.is_set, self._stop.wait):
                said = Said(member.side, member.name, request.container, line)
                self._put(member.uid, said)
                if self._stop.is_set():
                    return
        except ClusterError as error:
            if is_gone(error):  # not yet there: the next look tries again; or gone for good
                self._again.put(key)
            elif not self._stop.is_set():
                self._failure = error

    def _put(self, uid: str, said: Said) -> None:
        while not self._stop.is_set():
            try:
                self._queue.put((uid, said), timeout=LOOK_SECONDS)
            except Full:
                continue
            return


def _restarts(member: Member, container: str) -> int:
    statuses = (member.pod.get("status") or {}).get("containerStatuses") or ()
    mine = (s.get("restartCount", 0) for s in statuses if s.get("name") == container)
    return int(next(mine, 0))
