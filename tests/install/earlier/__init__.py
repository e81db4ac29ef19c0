"""An earlier rollout, to upgrade from: the real program, as it stood in a commit.

It is the one before `trigger: Template`, shares by pods, `adoption: InPlace` and the fast path
came into the schema. Made by

    git archive 1d0a6b3 rollout | tar --delete --wildcards 'rollout/sandbox*' 'rollout/simulate*' \
        | xz -9e > tests/install/earlier/rollout-1d0a6b3.tar.xz
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rollout.sandbox.processes import Program, start_bound

ARCHIVE: Final = Path(__file__).parent / "rollout-1d0a6b3.tar.xz"


@dataclass(frozen=True)
class Earlier:
    """That program, run with the packages of today."""

    folder: Path

    @classmethod
    def unpack(cls, folder: Path) -> "Earlier":
        """Unpack it into a folder that is not there yet."""
        shutil.unpack_archive(ARCHIVE, folder, filter="data")
        return cls(folder)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of its commands to its end."""
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "NO_COLOR": "1"}
        return subprocess.run(
            [sys.executable, "-P", "-m", "rollout", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment,
        )

    def start(self, arguments: tuple[str, ...], log: Path) -> Program:
        """Start it on this thread, which must live as long as it should."""
        path = (shutil.which("env") or "env", f"PYTHONPATH={self.folder}")
        return start_bound([*path, sys.executable, "-P", "-m", "rollout", *arguments], log)
