"""Logs as a kubelet serves them: the last lines, those since a moment, and those that come."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final, Self

LOOK_SECONDS: Final = 0.1
"""How often a log that is followed is looked at."""


class BadOptionError(ValueError):
    """An option of a log has a value that is none; the message names both."""


@dataclass(frozen=True)
class LogOptions:
    """What is wanted of a log. `tail` None: all lines. `limit` is in bytes."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail: int | None = None
    since: datetime | None = None
    limit: int | None = None

    @classmethod
    def read(cls, query: Mapping[str, str], now: datetime) -> Self:
        """Read a query as the kubelet does. Raises BadOptionError."""
        seconds, moment = _number(query, "sinceSeconds"), query.get("sinceTime")
        since = now - timedelta(seconds=seconds) if seconds is not None else _moment(moment)
        return cls(
            follow=query.get("follow") in {"true", "1"},
            previous=query.get("previous") in {"true", "1"},
            timestamps=query.get("timestamps") in {"true", "1"},
            tail=_number(query, "tailLines"),
            since=since,
            limit=_number(query, "limitBytes"),
        )


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not text.isdigit():
        raise BadOptionError(f"{name}: {text!r} is not a number of at least 0")
    return int(text)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise BadOptionError(f"sinceTime: {text!r} is not a time") from error


async def read_log(
    path: Path, options: LogOptions, ended: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Give what is wanted of a log, piece by piece; with `follow` until its process has ended."""
    left = options.limit
    async for piece in _pieces(path, options, ended):
        cut = piece if left is None else piece[:left]
        if cut:
            yield cut
        if left is not None:
            left -= len(cut)
            if not left:
                return


async def _pieces(
    path: Path, options: LogOptions, ended: Callable[[], bool]
) -> AsyncIterator[bytes]:
    with path.open("rb") as log:
        records = _since(_records(log), options.since)
        kept = records if options.tail is None else iter(deque(records, options.tail))
        shape = _Shape(timestamps=options.timestamps)
        for record in kept:
            yield shape.worded(record)
        while options.follow:
            over = ended()  # asked first: what it wrote before its end is there by now
            fresh = [shape.worded(record) for record in _records(log)]
            if fresh:
                yield b"".join(fresh)
            elif over:
                return
            await asyncio.sleep(LOOK_SECONDS)


def _records(log: BinaryIO) -> Iterator[bytes]:
    """Give whole records from where the file is on, and leave it behind the last one."""
    while True:
        begin = log.tell()
        line = log.readline()
        if not line.endswith(b"\n"):
            log.seek(begin)
            return
        yield line


def _since(records: Iterator[bytes], since: datetime | None) -> Iterator[bytes]:
    if since is None:
        return records
    first = since.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()
    return (record for record in records if record.partition(b" ")[0] >= first)


@dataclass
class _Shape:
    """Words records for people; pieces of a line become one line again."""

    timestamps: bool
    _within: bool = False

    def worded(self, record: bytes) -> bytes:
        stamp, _, tag, text = record.split(b" ", 3)
        begun = b"" if self._within or not self.timestamps else stamp + b" "
        self._within = tag == b"P"
        return begun + (text[:-1] if self._within else text)
