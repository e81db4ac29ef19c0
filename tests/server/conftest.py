"""An API before a practice API server, with a release that runs."""

from collections.abc import Iterator

import pytest

from tests import build
from tests.server.rig import Rig


@pytest.fixture(scope="session")
def shared() -> Iterator[Rig]:
    """One for all tests that leave it as they found it."""
    with Rig() as rig:
        yield rig


@pytest.fixture
def rig(shared: Rig) -> Iterator[Rig]:
    """A namespace in which release `web-v2` is under way."""
    with shared.place(*build.shop()) as rig:
        rig.say()
        yield rig


@pytest.fixture
def bare(shared: Rig) -> Iterator[Rig]:
    """A namespace with a service and no Rollout."""
    with shared.place(build.deployment(), build.service(), build.ingress()) as rig:
        yield rig


@pytest.fixture
def own() -> Iterator[Rig]:
    """As `rig`, with an API server and an API for this test alone."""
    with Rig() as alone, alone.place(*build.shop()) as rig:
        rig.say()
        yield rig
