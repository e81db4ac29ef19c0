"""Builds the parts of Argo CD and Flux that the tests run: `python -m tests.gitops.build`.

They are two programs, because the two are made for different versions of Kubernetes' libraries.
Built from nothing they take about three minutes on two cores; beside the control plane Flux's
shares most of its libraries with that.
"""

import sys
from pathlib import Path
from typing import Final

from tests.programs.program import Program, main

SOURCES: Final = Path(__file__).parent
NEEDS: Final = "the build needs about 3 GiB of disk and 2 GiB of memory"
ARGO_CD: Final = Program("argocd", "parts of Argo CD", SOURCES / "argocd", needs=NEEDS)
FLUX: Final = Program("flux", "parts of Flux", SOURCES / "flux", needs=NEEDS)

if __name__ == "__main__":
    sys.exit(main(FLUX, ARGO_CD))
