"""Child processes that never outlive the tests.

A test run may end by SIGKILL, and a test may have frozen a component at that moment. So each child
asks the kernel for its own death at that of its parent. Linux means the parent *thread*: all
children are therefore started by one thread that lives as long as this process.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

PARENT_VARIABLE: Final = "CONTROLPLANE_DIE_WITH"
"""Environment variable by which the control plane program learns whom it must not outlive."""
COLLECT_LATER: Final = {"GOGC": "300"}
"""Servers in Go grow to four times their live memory, not twice, for a sixth less of CPU."""
KILL_TIMEOUT: Final = 10.0
START_TIMEOUT: Final = 30.0

_starter: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="starter")


def bound_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment of a child that dies with this process."""
    return {**os.environ, **(extra or {}), PARENT_VARIABLE: str(os.getpid())}


class ChildProcess:
    """One server: its output goes to a file, signals reach it and all that it starts."""

    def __init__(self, name: str, command: Sequence[str | Path], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process is not None and self.is_running() else None

    def is_running(self) -> bool:
        """Whether the process is there, frozen or not."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; a second start appends to the same log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._process = _starter.submit(self._spawn).result(timeout=START_TIMEOUT)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to its process group; nothing happens when it is gone already."""
        if self.is_running() and self._process is not None:
            os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """End it by SIGKILL and wait until it is gone."""
        if self._process is not None:
            self.send(signal.SIGKILL)
            self._process.wait(timeout=KILL_TIMEOUT)

    def exit_code(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs or before its start."""
        return None if self._process is None else self._process.poll()

    def tail(self, lines: int = 30) -> str:
        """Last lines of its log."""
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as output:
            return subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=bound_environment(COLLECT_LATER),
                process_group=0,
            )
