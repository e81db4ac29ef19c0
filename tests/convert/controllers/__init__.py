"""The controllers of Argo Rollouts and of Flagger, from which services are moved to us.

`python -m tests.convert.controllers` builds them from their projects' Go modules. They are made for
older versions of Kubernetes' libraries than the control plane, so they share little of its build:
each takes minutes, once.
"""

from pathlib import Path
from typing import Final

from tests.programs.program import Program

SOURCES: Final = Path(__file__).parent
NEEDS: Final = "the build needs about 3 GiB of disk and 2 GiB of memory"
ARGO_ROLLOUTS: Final = Program(
    "rollouts-controller",
    "controller of Argo Rollouts",
    SOURCES / "argo-rollouts",
    needs=NEEDS,
    package="github.com/argoproj/argo-rollouts/cmd/rollouts-controller",
)
FLAGGER: Final = Program(
    "flagger",
    "controller of Flagger",
    SOURCES / "flagger",
    needs=NEEDS,
    package="github.com/fluxcd/flagger/cmd/flagger",
)
