"""Keeps one control plane for a whole test run, as a process that no test run can leave behind.

`python -m tests.controlplane.keeper FOLDER OWNER` puts itself in the background and prints its
process id. It writes `access.json` into the folder when the control plane is up, `failed.txt` when
it cannot come up, and ends with the owner (the pytest process that people started) however that
ends. If the keeper itself is killed, the kernel ends the components.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from tests.controlplane.cluster import ControlPlane, ControlPlaneError
from tests.programs.toolchain import BuildError

ACCESS_FILE: Final = "access.json"
FAILURE_FILE: Final = "failed.txt"
LOG_FILE: Final = "keeper.log"


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees all of it or none."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text)
    temporary.rename(path)


def keep(folder: Path, owner: int) -> None:
    """Run a control plane until the owner is gone or SIGTERM comes."""
    watched = os.pidfd_open(owner)
    try:
        with ControlPlane(parent=folder) as control_plane:
            write_whole(folder / ACCESS_FILE, control_plane.access.to_json())
            select.select([watched], [], [])  # readable when the owner has ended
        shutil.rmtree(folder, ignore_errors=True)  # the owner was killed, or would have done it
    finally:
        os.close(watched)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def _in_background(folder: Path, work: Callable[[], None]) -> None:
    """Fork, tell the child's id, and do the work in the child, apart from the terminal."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        print(json.dumps(child), flush=True)
        return
    os.setsid()
    output = os.open(folder / LOG_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(output, stream)
    work()


def main() -> None:
    """Read the arguments and keep."""
    folder, owner = Path(sys.argv[1]), int(sys.argv[2])

    def work() -> None:
        signal.signal(signal.SIGTERM, _end)
        try:
            keep(folder, owner)
        except (BuildError, ControlPlaneError, OSError, subprocess.SubprocessError) as error:
            write_whole(folder / FAILURE_FILE, f"{type(error).__name__}: {error}")
            sys.exit(1)

    _in_background(folder, work)


if __name__ == "__main__":
    main()
