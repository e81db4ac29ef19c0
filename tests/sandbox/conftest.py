"""A practice API server with a node agent and an edge, for one test."""

from collections.abc import Iterator

import pytest

from rollout.kube.client import HttpCluster
from rollout.sandbox.agent import BackOff, NodeAgent, Settings
from rollout.sandbox.apiserver import ApiServer
from rollout.sandbox.edge import Edge
from tests.sandbox.practice import Shop


@pytest.fixture
def shop() -> Iterator[Shop]:
    """A namespace whose pods run as processes on this machine."""
    with ApiServer() as server:
        cluster = HttpCluster.for_server(server.url, server.token)
        with NodeAgent(cluster, Settings(namespace="default", back_off=BackOff(0.5, 2.0))):
            yield Shop(cluster, "default")
        cluster.close()


@pytest.fixture
def edge(shop: Shop) -> Iterator[Edge]:
    """A proxy in front of it."""
    with Edge(shop.cluster) as edge:
        yield edge
