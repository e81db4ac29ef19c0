"""Build all of them: `python -m tests.programs`; each is built once, and kept outside the tree."""

import sys

from tests.charts.build import HELM
from tests.controlplane.build import PROGRAM as CONTROL_PLANE
from tests.convert.controllers import ARGO_ROLLOUTS, FLAGGER
from tests.gitops.build import ARGO_CD, FLUX
from tests.programs.program import main

sys.exit(main(CONTROL_PLANE, HELM, FLUX, ARGO_CD, ARGO_ROLLOUTS, FLAGGER))
