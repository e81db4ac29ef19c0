"""Programs that end with us, however we end: the practice cluster leaves nothing behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol, TypeAlias

Program: TypeAlias = subprocess.Popen[bytes]
"""A program that was started."""

_BOUND: Final = (
    "import ctypes, os, sys\n"
    f"ctypes.CDLL(None).prctl(1, {int(signal.SIGKILL)})\n"
    "if os.getppid() != int(sys.argv[1]): sys.exit(1)\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)


def start_bound(command: Sequence[str], log: Path) -> Program:
    """Start a program that the kernel kills when the calling *thread* ends.

    So call it on a thread that lives as long as the program should. Its output goes to `log`.
    The setting is made by a small interpreter that then becomes the program: doing it between
    fork and exec here could deadlock a process with threads.
    """
    wrapper = [sys.executable, "-I", "-S", "-c", _BOUND, str(os.getpid())]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*wrapper, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us; we stop our programs in order
        )


class Endable(Protocol):
    """What can be told to end, as `subprocess.Popen` can."""

    def terminate(self) -> None:
        """Ask it to stop."""

    def kill(self) -> None:
        """Kill it."""

    def wait(self, timeout: float) -> int:
        """Wait for its end. Raises TimeoutExpired."""


def end(process: Endable, seconds: float = 5.0) -> None:
    """Stop a program: SIGTERM, and SIGKILL when that takes longer than `seconds`."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(seconds)
