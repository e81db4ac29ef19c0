"""Lines of a container's log, as they come, over broken connections too.

Each line is asked for with its moment: after a connection has broken, the log is read on from
there, and what was given out already is left out.
"""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import dropwhile, takewhile
from typing import Final, Protocol

from rollout.kube.errors import ClusterError, Refused, ServerFault, Unreachable

LONGEST: Final = 1 << 16
"""Bytes of one line; what is longer comes in pieces, so that no pod can fill our memory."""
CALL_SECONDS: Final = 600.0
FOLLOW_SECONDS: Final = 3600.0
"""A log is followed in stretches; a connection that has died in silence is noticed after one."""
PAUSE_SECONDS: Final = 1.0


class LogSource(Protocol):
    """Where logs are read from."""

    def log(
        self, namespace: str, pod: str, query: list[tuple[str, str]], seconds: float
    ) -> Iterator[bytes]:
        """Read the log of a pod, piece by piece."""
        ...


@dataclass(frozen=True)
class LogRequest:
    """Which log is wanted, and how much of it. `since` is in seconds."""

    namespace: str
    pod: str
    container: str
    follow: bool = False
    previous: bool = False
    tail: int | None = None
    since: int | None = None
    since_time: str = ""

    def query(self) -> list[tuple[str, str]]:
        """Word it for the API."""
        said = {
            "container": self.container,
            "timestamps": "true",
            "follow": "true" if self.follow else "",
            "previous": "true" if self.previous else "",
            "tailLines": "" if self.tail is None or self.since_time else str(self.tail),
            "sinceSeconds": "" if self.since is None or self.since_time else str(self.since),
            "sinceTime": self.since_time,
        }
        return [(key, value) for key, value in said.items() if value]


@dataclass(frozen=True)
class LogLine:
    """A line, without its end, and the moment that the node gave it."""

    stamp: str
    text: str

    @property
    def at(self) -> tuple[int, str]:
        """The moment, to be compared with others."""
        return moment(self.stamp)


def follow_log(
    source: LogSource,
    request: LogRequest,
    over: Callable[[], bool],
    pause: Callable[[float], object] = time.sleep,
) -> Generator[LogLine]:
    """Give the lines of a log; with `follow` to the end of its container, or until `over`.

    A broken connection is no end: it is asked again, from the last line on. Raises ClusterError
    where the node refuses, and, without `follow`, where it cannot be reached.
    """
    last, asked = request.since_time, request
    while not over():
        try:
            for line in _after(last, _read(source, asked)):
                yield line
                last = line.stamp
        except (Unreachable, ServerFault):
            if not request.follow:
                raise
            pause(PAUSE_SECONDS)
        else:
            return
        asked = replace(request, since_time=last) if last else request


def _read(source: LogSource, request: LogRequest) -> Iterator[LogLine]:
    seconds = FOLLOW_SECONDS if request.follow else CALL_SECONDS
    parts = source.log(request.namespace, request.pod, request.query(), seconds)
    return log_lines(parts)


def _after(last: str, lines: Iterator[LogLine]) -> Iterator[LogLine]:
    """Leave out what was given already: the API knows moments by the second."""
    return dropwhile(lambda line: line.at <= moment(last), lines) if last else lines


def moment(stamp: str) -> tuple[int, str]:
    """Read a moment so that two can be compared: seconds, and nine digits of the next."""
    try:
        seconds = int(datetime.fromisoformat(stamp).timestamp())
    except ValueError:
        return 0, stamp
    digits = "".join(takewhile(str.isdigit, stamp.partition(".")[2]))
    return seconds, digits.ljust(9, "0")


def log_lines(parts: Iterable[bytes]) -> Iterator[LogLine]:
    """Split a log into lines; one without an end is given at the end, a huge one in pieces."""
    rest, stamp = b"", ""
    for part in parts:
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            yield _line(line, stamp)
            stamp = ""
        while len(rest) > LONGEST:
            piece = _line(rest[:LONGEST], stamp)
            yield piece
            rest, stamp = rest[LONGEST:], piece.stamp
    if rest:
        yield _line(rest, stamp)


def _line(line: bytes, within: str) -> LogLine:
    """Read a line; `within` is the moment of the line that it goes on."""
    text = line.decode(errors="replace").removesuffix("\r")
    if within:
        return LogLine(within, text)
    stamp, _, said = text.partition(" ")
    return LogLine(stamp, said)


def is_gone(error: ClusterError) -> bool:
    """Whether a log cannot be had because its pod or container is not there, or not any more."""
    return isinstance(error, Refused) and error.status in {400, 404}
