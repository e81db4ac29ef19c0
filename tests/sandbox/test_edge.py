"""The edge is a real proxy that follows Ingresses, canary annotations, Services and endpoints."""

from collections import Counter

import httpx
import pytest

from rollout.resources.words import POD_TEMPLATE_HASH
from rollout.resources.writes import Kind
from rollout.sandbox.edge import Edge
from tests.sandbox.practice import (
    CANARY,
    HOST,
    SERVICE,
    Shop,
    await_served,
    deployment,
    ingress,
    service,
    until,
)

pytestmark = [pytest.mark.system, pytest.mark.timeout(60)]


def get(edge: Edge, host: str = HOST) -> httpx.Response:
    return httpx.get(edge.url, headers={"host": host}, trust_env=False, timeout=5.0)


def versions(edge: Edge, count: int = 200) -> Counter[str]:
    with httpx.Client(trust_env=False, headers={"host": HOST}) as client:
        return Counter(client.get(edge.url).headers.get("x-version", "none") for _ in range(count))


def with_canary(shop: Shop, edge: Edge, weight: int) -> None:
    """Two versions, the second behind a canary Ingress."""
    shop.open("v1", replicas=1)
    shop.create(
        deployment("v2", name="candidate", replicas=1, labels={"track": "candidate"}),
        service({"app": SERVICE, "track": "candidate"}, "candidate"),
        ingress("candidate", name="shop-canary", weight=weight),
    )
    shop.await_ready("candidate", 1)
    stable = shop.pods(app=SERVICE)
    hash_ = next(
        pod["metadata"]["labels"][POD_TEMPLATE_HASH]
        for pod in stable
        if "track" not in pod["metadata"]["labels"]
    )
    shop.select({"app": SERVICE, POD_TEMPLATE_HASH: hash_})
    await_served(edge.url, HOST)
    until(lambda: edge.weights(HOST), "the edge knows the host")
    edge.settle()


def test_a_host_without_an_ingress_is_not_found(shop: Shop, edge: Edge) -> None:
    shop.open("v1", replicas=1)
    await_served(edge.url, HOST)
    assert get(edge, "nobody.example").status_code == 404


def test_a_service_without_ready_pods_is_unavailable(shop: Shop, edge: Edge) -> None:
    shop.open("v1", replicas=1)
    await_served(edge.url, HOST)
    shop.scale(SERVICE, 0)
    until(lambda: get(edge).status_code == 503, "503")


def test_a_canary_gets_its_share_and_follows_its_weight(shop: Shop, edge: Edge) -> None:
    with_canary(shop, edge, weight=0)
    assert versions(edge) == Counter(v1=200)
    shop.weigh(50)
    until(lambda: versions(edge, 20)["v2"], "the canary gets requests")
    share = versions(edge, 400)["v2"] / 400
    assert 0.4 <= share <= 0.6
    shop.weigh(100)
    until(lambda: versions(edge, 20) == Counter(v2=20), "the canary gets everything")


def test_a_canary_that_is_deleted_gets_nothing(shop: Shop, edge: Edge) -> None:
    with_canary(shop, edge, weight=100)
    until(lambda: versions(edge, 20) == Counter(v2=20), "the canary gets everything")
    shop.delete(Kind.INGRESS, "shop-canary")
    until(lambda: versions(edge, 20) == Counter(v1=20), "stable gets everything")


def test_a_canary_without_an_ingress_beside_it_is_no_route(shop: Shop, edge: Edge) -> None:
    shop.open("v1", replicas=1)
    await_served(edge.url, HOST)
    alone = ingress(name="alone", host="alone.example", weight=100)
    assert alone["metadata"]["annotations"][CANARY] == "true"
    shop.create(alone)
    edge.settle()
    assert get(edge, "alone.example").status_code == 404


def test_the_selector_of_the_service_moves_all_traffic(shop: Shop, edge: Edge) -> None:
    with_canary(shop, edge, weight=0)
    shop.select({"app": SERVICE, "track": "candidate"})
    until(lambda: versions(edge, 20) == Counter(v2=20), "the other pods serve")
