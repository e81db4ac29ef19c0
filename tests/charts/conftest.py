"""The build takes longer than any test may: it happens after collection, before the first test."""

import sys
from pathlib import Path

import pytest

from tests.charts.build import HELM
from tests.programs.toolchain import BuildError


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build Helm when a collected test of this folder runs it; when it fails, they fail."""
    here = any(Path(__file__).parent in item.path.parents for item in session.items)
    if session.config.option.collectonly or not here:
        return
    try:
        HELM.ensure_built(sys.stderr)
    except BuildError as error:
        print(error, file=sys.stderr)
