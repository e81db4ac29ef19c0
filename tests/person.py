"""Somebody at a shell: with a folder, kubectl, our command, and the commands of a page to type."""

import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

ROOT: Final = Path(__file__).parents[1]
SHELL: Final = re.compile(r"^ *```sh\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Person:
    """A folder to work in, and what the shell's environment is."""

    folder: Path
    environment: dict[str, str]

    @classmethod
    def at(cls, folder: Path, kubectl_program: Path) -> Self:
        """Sit somebody down in a folder. `kubectl_program` is kubectl when it is told so."""
        programs = folder / "bin"
        programs.mkdir(parents=True)
        kubectl = programs / "kubectl"
        kubectl.write_text(f'#!/bin/sh\nexec {shlex.quote(str(kubectl_program))} kubectl "$@"\n')
        kubectl.chmod(0o755)
        path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        own = {"PATH": path, "HOME": str(folder), "KUBECONFIG": str(folder / "none")}
        return cls(folder, {**os.environ, **own, "NO_COLOR": "1"})

    def types(self, script: str, seconds: float = 120.0) -> subprocess.CompletedProcess[str]:
        """Have a script typed; it ends at the first command that fails."""
        return self.runs("bash", "-euo", "pipefail", "-c", script, seconds=seconds)

    def runs(self, *command: str, seconds: float = 120.0) -> subprocess.CompletedProcess[str]:
        """Have a command run to its end."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )


def blocks(page: Path) -> list[str]:
    """Give the blocks of shell commands of a page."""
    return [textwrap.dedent(block) for block in SHELL.findall(page.read_text())]


def commands(page: str) -> Iterator[str]:
    """Give the commands of a page, by its path from the root, without the remarks behind them."""
    for block in blocks(ROOT / page):
        for line in block.splitlines():
            yield line.partition("  #")[0].strip()


def command(page: str, beginning: str) -> str:
    """Give the one command of a page that begins so, or is so. Raises ValueError if it is not one.

    `tests/docs/test_walked.py` counts it as run.
    """
    found = [line for line in commands(page) if line.startswith(beginning)]
    (one,) = [line for line in found if line == beginning] or found
    return one
