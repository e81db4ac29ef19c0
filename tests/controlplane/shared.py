"""One control plane for all workers of a test run.

The process that people start (pytest, or pytest-xdist's main process) owns a folder; the first
worker that needs a control plane has a keeper started there, the others read what it wrote.
"""

import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from tests.controlplane.access import Access
from tests.controlplane.cluster import ControlPlaneError
from tests.controlplane.keeper import ACCESS_FILE, FAILURE_FILE, LOG_FILE, write_whole

REPOSITORY: Final = Path(__file__).parents[2]
LAUNCH_TIMEOUT: Final = 60.0
UP_TIMEOUT: Final = 300.0
END_TIMEOUT: Final = 20.0
PID_FILE: Final = "keeper.pid"


@dataclass(frozen=True)
class SharedControlPlane:
    """The control plane of one test run; started when it is first asked for."""

    folder: Path
    owner: int
    """Process id of the test run; the control plane ends with it."""

    @classmethod
    def owned(cls) -> Self:
        """A new one that belongs to this process, which must call `release()`."""
        return cls(Path(tempfile.mkdtemp(prefix="rollout-tests-")), os.getpid())

    def acquire(self) -> Access:
        """Access to the running control plane; starts it if nobody has.

        Raises:
            ControlPlaneError: it cannot be built or does not come up. Every later call says the
                same at once.

        """
        with self._lock():
            if not self._has(ACCESS_FILE) and not self._has(FAILURE_FILE):
                self._launch()
        if self._has(FAILURE_FILE):
            raise ControlPlaneError((self.folder / FAILURE_FILE).read_text())
        return Access.from_json((self.folder / ACCESS_FILE).read_text())

    def fail(self, error: Exception) -> None:
        """Make every `acquire()` raise with this reason."""
        write_whole(self.folder / FAILURE_FILE, f"{type(error).__name__}: {error}")

    def release(self) -> None:
        """End the control plane if it was started, and remove the folder. For the owner only."""
        if self._has(PID_FILE):
            _end(int((self.folder / PID_FILE).read_text()))
        shutil.rmtree(self.folder, ignore_errors=True)

    def _has(self, name: str) -> bool:
        return (self.folder / name).exists()

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _launch(self) -> None:
        module = "tests.controlplane.keeper"
        command = [sys.executable, "-m", module, str(self.folder), str(self.owner)]
        done = subprocess.run(
            command,
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
            timeout=LAUNCH_TIMEOUT,
            check=True,
        )
        keeper = int(done.stdout)
        (self.folder / PID_FILE).write_text(str(keeper))
        self._wait_until_up(keeper)

    def _wait_until_up(self, keeper: int) -> None:
        deadline = time.monotonic() + UP_TIMEOUT
        while True:
            runs = _is_running(keeper)  # asked before its files: it writes, then ends
            if self._has(ACCESS_FILE) or self._has(FAILURE_FILE):
                return
            if not runs:
                log = (self.folder / LOG_FILE).read_text()
                self.fail(ControlPlaneError(f"its keeper ended without a word:\n{log}"))
            elif time.monotonic() > deadline:
                self.fail(ControlPlaneError(f"it was not up after {UP_TIMEOUT:.0f} s"))
            time.sleep(0.05)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _end(process: int) -> None:
    try:
        watched = os.pidfd_open(process)
    except ProcessLookupError:
        return
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            signal.pidfd_send_signal(watched, number)
            if select.select([watched], [], [], END_TIMEOUT)[0]:
                return
    finally:
        os.close(watched)
