"""The log of a process in the form that container runtimes write: each line with its moment.

`2026-11-26T03:20:00.123456Z stdout F listening on 127.244.1.2:8080`. `P` instead of `F` marks a
piece of a line. Without the moment of each line `--since` and `--timestamps` could not be answered,
and whoever follows a log could not find the place again after a broken connection.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

CHUNK: Final = 1 << 16
LONGEST: Final = 1 << 14
"""Bytes of a record; longer lines come in pieces, as with containerd."""


class StampedLog:
    """Copies what a process writes into a pipe to a file, stamped."""

    def __init__(self, pipe: int, path: str) -> None:
        os.set_blocking(pipe, False)
        self.ended = False
        self._pipe = pipe
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._rest = b""

    def fileno(self) -> int:
        """Return the descriptor that is readable when there is something to copy."""
        return self._pipe

    def copy(self) -> bool:
        """Copy what is there next; False when that is nothing."""
        try:
            data = os.read(self._pipe, CHUNK)
        except BlockingIOError:
            return False
        self.ended = not data
        *whole, self._rest = (self._rest + data).split(b"\n")
        records = [record for line in whole for record in _records(line, b"F")]
        if self.ended or len(self._rest) > LONGEST:
            records += _records(self._rest, b"P") if self._rest else ()
            self._rest = b""
        if records:
            os.write(self._file, b"".join(records))
        return bool(data)

    def close(self) -> None:
        """Copy what is left, and end."""
        while self.copy():
            pass
        self.let_go()

    def let_go(self) -> None:
        """Close the descriptors; what is in the pipe is somebody else's to copy."""
        os.close(self._pipe)
        os.close(self._file)


def _records(line: bytes, tag: bytes) -> Iterator[bytes]:
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()
    pieces = [line[at : at + LONGEST] for at in range(0, len(line), LONGEST)] or [b""]
    for piece in pieces[:-1]:
        yield b"%s stdout P %s\n" % (stamp, piece)
    yield b"%s stdout %s %s\n" % (stamp, tag, pieces[-1])
