"""Builds Helm, with which the tests read and install our charts: `python -m tests.charts.build`.

It is made for the same version of Kubernetes' libraries as the control plane, so that beside that
its build takes little; from nothing it takes about two minutes on two cores.
"""

import sys
from pathlib import Path
from typing import Final

from tests.programs.program import Program, main

SOURCES: Final = Path(__file__).parent / "helm"
HELM: Final = Program(
    "helm", "Helm", SOURCES, needs="the build needs about 2 GiB of disk and 2 GiB of memory"
)

if __name__ == "__main__":
    sys.exit(main(HELM))
