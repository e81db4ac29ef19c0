"""The modules of Argo Rollouts and of Flagger, which hold their examples and definitions.

Both are under the Apache licence 2.0. They are fetched by Go and nothing of them is kept here but
the names of fields.
"""

import json
import subprocess
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.controlplane.build import cache_folder
from tests.controlplane.toolchain import environment, find_go

ARGO: Final = "github.com/argoproj/argo-rollouts@v1.8.3"
FLAGGER: Final = "github.com/fluxcd/flagger@v1.41.0"
TIMEOUT: Final = 300.0


@lru_cache
def folder(module: str) -> Path:
    """Give the folder of a module, which Go fetches if it is not there."""
    with TemporaryDirectory() as here:
        (Path(here) / "go.mod").write_text("module fetch\n\ngo 1.21\n")
        done = subprocess.run(
            [find_go("go 1.21", cache_folder()), "mod", "download", "-json", module],
            cwd=here,
            env={**environment(), "GOFLAGS": "-mod=mod"},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=True,
        )
    return Path(json.loads(done.stdout)["Dir"])
