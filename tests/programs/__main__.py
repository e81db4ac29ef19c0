"""Build all of them: `python -m tests.programs`; each is built once, and kept outside the tree."""

import sys

from tests.charts.build import HELM
from tests.controlplane.build import PROGRAM as CONTROL_PLANE
from tests.programs.program import main

sys.exit(main(CONTROL_PLANE, HELM))
