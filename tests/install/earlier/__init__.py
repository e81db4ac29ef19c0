"""An earlier rollout, to upgrade from: the real program, as it stood in a commit.

It is the one before `trigger: Template`, shares by pods, `adoption: InPlace` and the fast path
came into the schema. Made by

    git archive 1d0a6b3 rollout | tar --delete --wildcards 'rollout/sandbox*' 'rollout/simulate*' \
        | xz -9e > tests/install/earlier/rollout-1d0a6b3.tar.xz
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ARCHIVE: Final = Path(__file__).parent / "rollout-1d0a6b3.tar.xz"


def unpack(folder: Path) -> tuple[str, ...]:
    """Unpack it, and give the command that runs it with the packages of today."""
    shutil.unpack_archive(ARCHIVE, folder, filter="data")
    return (
        shutil.which("env") or "env",
        f"PYTHONPATH={folder}",
        sys.executable,
        "-P",
        "-m",
        "rollout",
    )


def crds(program: tuple[str, ...]) -> str:
    """Its CustomResourceDefinitions, as it prints them."""
    done = subprocess.run(
        [*program, "crds"], capture_output=True, text=True, timeout=30, check=True
    )
    return done.stdout
