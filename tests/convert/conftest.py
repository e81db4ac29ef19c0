"""The builds take longer than any test may: they happen before the first test that needs them."""

import sys
from pathlib import Path

import pytest

from tests.convert.controllers import ARGO_ROLLOUTS, FLAGGER
from tests.programs.toolchain import BuildError

NEEDS = Path(__file__).with_name("test_cutover.py")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build both controllers when a collected test runs them; when it fails, they fail."""
    here = any(item.path == NEEDS for item in session.items)
    if session.config.option.collectonly or not here:
        return
    try:
        for program in (ARGO_ROLLOUTS, FLAGGER):
            program.ensure_built(sys.stderr)
    except BuildError as error:
        print(error, file=sys.stderr)
