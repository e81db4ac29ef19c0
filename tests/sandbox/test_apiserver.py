"""The practice API server as a thing to start and stop."""

import pytest

from rollout.sandbox.apiserver import ApiServer

pytestmark = pytest.mark.system


@pytest.mark.timeout(20)
def test_a_server_that_has_just_been_started_again_can_be_stopped() -> None:
    server = ApiServer()
    for _ in range(20):
        server.start()
        server.stop()
