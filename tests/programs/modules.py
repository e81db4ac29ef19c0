"""Files of other projects, as Go's own proxy has them, and checks what it gives."""

import json
import subprocess
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.programs.program import cache_folder
from tests.programs.toolchain import environment, find_go

TIMEOUT: Final = 300.0
MODULE: Final = "module fetch\n\ngo 1.21\n"


@lru_cache
def folder(module: str) -> Path:
    """Give the folder of a module (path@version), which Go fetches if it is not there.

    Raises AssertionError with what Go says when it cannot be had.
    """
    with TemporaryDirectory() as here:
        (Path(here) / "go.mod").write_text(MODULE)
        done = subprocess.run(
            [find_go(MODULE, cache_folder()), "mod", "download", "-json", module],
            cwd=here,
            env={**environment(), "GOFLAGS": "-mod=mod"},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    assert done.returncode == 0, f"{module}: {done.stdout}{done.stderr}"
    return Path(json.loads(done.stdout)["Dir"])
