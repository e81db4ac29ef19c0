"""A terminal for programs that draw differently when a person looks on."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Final

ROWS: Final = 50
COLUMNS: Final = 140
REDRAWN: Final = re.compile(r"(?:\x1b\[1A\x1b\[2K)+")
"""Up a line and cleared, for each line of what was shown before."""
CONTROL: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Shown:
    """What a program that has ended showed."""

    code: int
    raw: str

    @property
    def text(self) -> str:
        """All that was written, without colours and movements."""
        return CONTROL.sub("", self.raw)

    @property
    def frames(self) -> list[str]:
        """What stood there between two drawings over the same place."""
        return [CONTROL.sub("", frame) for frame in REDRAWN.split(self.raw)]


def on_terminal(
    command: Sequence[str],
    *,
    typed: bytes = b"",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    seconds: float = 60.0,
    columns: int = COLUMNS,
) -> Shown:
    """Run a program on a terminal; it is killed when it takes longer than `seconds`."""
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", **(env or {})}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        command, stdin=side, stdout=side, stderr=side, cwd=cwd, env=environment
    ) as process:
        late = Timer(seconds, process.kill)
        late.start()
        os.close(side)
        os.write(main, typed)
        raw = _read_all(main)
        code = process.wait(seconds)
        late.cancel()
    os.close(main)
    return Shown(code, raw)


def _read_all(terminal: int) -> str:
    pieces = list[bytes]()
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the other side has been closed
            break
        if not piece:
            break
        pieces.append(piece)
    return b"".join(pieces).decode()
