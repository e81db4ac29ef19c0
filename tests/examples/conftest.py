"""The trees of the overlays, built once."""

from pathlib import Path

import pytest

from tests.examples.trees import EXAMPLE, OVERLAYS, Tree, build


@pytest.fixture(scope="session")
def trees(kubectl_program: Path) -> dict[str, Tree]:
    return {name: build(kubectl_program, EXAMPLE / "overlays" / name) for name in OVERLAYS}


@pytest.fixture(params=OVERLAYS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def tree(trees: dict[str, Tree], name: str) -> Tree:
    return trees[name]
