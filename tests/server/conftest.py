"""An API before a practice API server, with a release that runs."""

from collections.abc import Iterator

import pytest

from tests.server.rig import Rig


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig() as rig:
        rig.say()
        yield rig
