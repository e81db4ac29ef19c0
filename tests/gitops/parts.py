"""The parts of Argo CD and Flux, run: one that judges objects, one that syncs for ever."""

import json
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Self

from rollout.resources.writes import Object
from rollout.sandbox.processes import Program, end, start_bound
from tests.programs.program import Program as Source

SECONDS: Final = 120.0


def answers(source: Source, arguments: list[str], objects: Iterable[Object]) -> list[Any]:
    """Have a part look at objects; gives its answer to each."""
    asked = "".join(json.dumps(obj) + "\n" for obj in objects)
    done = subprocess.run(
        [source.ensure_built(), *arguments],
        input=asked,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


class Running:
    """A part that works until it is stopped, and says a line of JSON each time. Context manager."""

    def __init__(self, source: Source, arguments: list[str], log: Path) -> None:
        self._command = [str(source.ensure_built()), *arguments]
        self._log = log
        self._process: Program | None = None
        # A program ends with the thread that started it: this one lives as long as this value.
        self._starter = ThreadPoolExecutor(1, "part")

    def __enter__(self) -> Self:
        self._process = self._starter.submit(start_bound, self._command, self._log).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._starter.shutdown()

    def stop(self) -> None:
        """End it; it must not have ended by itself."""
        if self._process is None:
            return
        assert self._process.poll() is None, self._log.read_text()[-3000:]
        end(self._process)
        self._process = None

    def said(self) -> list[dict[str, Any]]:
        """Everything that it has said so far; a line that is being written is left out."""
        text = self._log.read_text() if self._log.exists() else ""
        whole = text.rpartition("\n")[0].splitlines()
        return [json.loads(line) for line in whole if line.startswith("{")]

    def rest(self) -> list[str]:
        """What it has said besides: errors of its libraries."""
        text = self._log.read_text() if self._log.exists() else ""
        return [line for line in text.splitlines() if not line.startswith("{")]
