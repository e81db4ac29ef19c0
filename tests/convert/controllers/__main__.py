"""Builds both."""

import sys

from tests.convert.controllers import ARGO_ROLLOUTS, FLAGGER
from tests.programs.program import main

sys.exit(main(ARGO_ROLLOUTS, FLAGGER))
