"""One practice cluster for a test: node agent and edge of one namespace, on any API server."""

from collections.abc import Iterator

import pytest

from rollout.kube.client import HttpCluster
from rollout.sandbox.agent import NodeAgent
from rollout.sandbox.agent import Settings as AgentSettings
from rollout.sandbox.edge import Edge
from rollout.sandbox.edge import Settings as EdgeSettings
from tests.controlplane.access import Access
from tests.sandbox.practice import Shop


@pytest.fixture
def shop(control_plane: Access, namespace: str) -> Iterator[Shop]:
    """An empty namespace of the real control plane whose pods run."""
    cluster = HttpCluster.for_server(
        control_plane.url, control_plane.token(), str(control_plane.ca_file)
    )
    settings = AgentSettings(node=f"node-{namespace}", namespace=namespace)
    with NodeAgent(cluster, settings):
        yield Shop(cluster, namespace)
    cluster.close()


@pytest.fixture
def edge(shop: Shop) -> Iterator[Edge]:
    """The edge of that namespace."""
    with Edge(shop.cluster, EdgeSettings(namespace=shop.namespace)) as edge:
        yield edge
