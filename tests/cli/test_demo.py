"""The demo on a machine that has other things to do."""

import time

import pytest

from rollout.cli.demo import LONGEST, await_served
from tests.cli.test_wire import Server, fine, proxy, reset, server

__all__ = ["server"]
pytestmark = pytest.mark.system


def test_it_waits_for_a_service_that_does_not_answer_yet(server: Server) -> None:
    server.script = [reset, proxy(503), fine]
    await_served(server.url, time.monotonic())
    assert len(server.times) == 3


def test_it_says_that_the_machine_may_be_busy(server: Server) -> None:
    with pytest.raises(TimeoutError, match="is the machine very busy"):
        await_served(server.url, time.monotonic() - LONGEST)
