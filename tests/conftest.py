"""Fixtures and options that more than one folder of tests uses."""

import pytest

pytest_plugins = ["tests.controlplane.fixtures"]

STRIDE = 6


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer what takes too long for every run."""
    parser.addoption(
        "--every-cut",
        action="store_true",
        help=f"cut every story after every write; else some stories after every {STRIDE}th",
    )


@pytest.fixture
def every_cut(request: pytest.FixtureRequest) -> int:
    """How many writes lie between two cuts."""
    return 1 if request.config.getoption("--every-cut") else STRIDE
