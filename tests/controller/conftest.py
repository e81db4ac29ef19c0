"""Logs of the loop are kept out of the way: rendering a stack takes longer than a pass."""

from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """What the product logs during a test."""
    with capture_logs() as logged:
        yield logged
