"""Builds take longer than any test may: they happen after collection, before the first test."""

import sys
from pathlib import Path

import pytest

from tests.gitops.build import ARGO_CD, FLUX
from tests.programs.toolchain import BuildError


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the collected tests of this folder run; when it fails, they fail."""
    here = any(Path(__file__).parent in item.path.parents for item in session.items)
    if session.config.option.collectonly or not here:
        return
    try:
        for program in (FLUX, ARGO_CD):
            program.ensure_built(sys.stderr)
    except BuildError as error:
        print(error, file=sys.stderr)
