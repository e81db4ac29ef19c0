"""A misbehaving server and a client of it, for each test its own."""

from collections.abc import Iterator

import pytest

from rollout.kube.client import HttpCluster
from tests.kube.faulty import FaultyServer, faulty_server


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as server:
        yield server


@pytest.fixture
def cluster(server: FaultyServer) -> Iterator[HttpCluster]:
    cluster = HttpCluster.for_server(server.url, "secret")
    yield cluster
    cluster.close()
