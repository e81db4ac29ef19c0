"""Our program as processes that are forked from one which has imported it already.

A fresh interpreter spends 0.9 s of CPU on imports for a controller and 0.4 s for a command, and the
tests start many hundreds of them on two cores. What a fresh one does is tested where pages are
typed and where few are started: tests/docs, tests/install, tests/faults, tests/system.
"""

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rollout.cli import main

_PR_SET_PDEATHSIG: Final = 1
_CONTEXT: Final = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [__name__, "rollout.daemon", "rollout.cli.app", "rollout.cli.cluster_door"]
)


class Forked:
    """A process of ours; its methods are those of `subprocess.Popen`."""

    def __init__(self, arguments: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        """Start `rollout` with these arguments; what it says is added to `log`."""
        told = (tuple(arguments), str(log), dict(environment))
        self._process = _CONTEXT.Process(target=_become, args=told, daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        """How it ended: its exit code, or the signal that ended it as a negative number."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Say how it ended; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Wait for its end. Raises TimeoutExpired when that takes longer than `timeout` seconds."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("rollout", timeout)
        return self._process.exitcode

    def terminate(self) -> None:
        """Ask it to stop."""
        self._process.terminate()

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()


def run(
    arguments: Sequence[str], environment: Mapping[str, str], timeout: float, text: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, as `subprocess.run` does; `text` is its input."""
    with tempfile.TemporaryDirectory() as name:
        log, errors, given = Path(name, "out"), Path(name, "err"), Path(name, "in")
        given.write_text(text)
        own = {_ERRORS: str(errors), _INPUT: str(given)}
        process = Forked(arguments, log, {**environment, **own})
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return subprocess.CompletedProcess(
            list(arguments), code, log.read_text(), errors.read_text()
        )


_ERRORS: Final = "ROLLOUT_TESTS_ERRORS"
"""A file of its own for standard error."""
_INPUT: Final = "ROLLOUT_TESTS_INPUT"
"""A file that is standard input."""


def _become(arguments: Sequence[str], log: str, environment: Mapping[str, str]) -> None:
    """Be `rollout` in a process that the kernel kills when the one it was forked from ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    _write_to(log, 1)
    _write_to(environment.get(_ERRORS, log), 2)
    if _INPUT in environment:
        _read_from(environment[_INPUT])
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv = ["rollout", *arguments]
    main()


def _read_from(file: str) -> None:
    """Be told a file, where `multiprocessing` has opened nothing."""
    opened = os.open(file, os.O_RDONLY)
    os.dup2(opened, 0)
    os.close(opened)
    sys.stdin = os.fdopen(0)


def _write_to(file: str, descriptor: int) -> None:
    opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(opened, descriptor)
    os.close(opened)
