"""Pods are real processes: they start, get ready, crash and stop as a kubelet's would."""

from typing import Any

import httpx
import pytest

from rollout.metrics.addresses import AddressMap
from rollout.resources.writes import Kind, Object
from rollout.sandbox.agent import ADDRESS_MAP_TEXT
from tests.sandbox.practice import SERVICE, Shop, deployment, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(60)]
ADDRESSES = AddressMap.parse(ADDRESS_MAP_TEXT)


def only_pod(shop: Shop) -> Object:
    return next(iter(shop.pods(app=SERVICE)), {})


def ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def container(pod: Object) -> dict[str, Any]:
    statuses = pod.get("status", {}).get("containerStatuses") or [{}]
    return dict(statuses[0])


def ask(pod: Object, path: str = "/") -> httpx.Response:
    host, port = ADDRESSES.reach(str(pod["status"]["podIP"])), 8080
    return httpx.get(f"http://{host}:{port}{path}", trust_env=False, timeout=5.0)


def test_a_pod_serves_its_version_and_counts_what_it_served(shop: Shop) -> None:
    shop.create(deployment("v3", replicas=1))
    shop.await_ready(SERVICE, 1)
    pod = only_pod(shop)
    for _ in range(3):
        assert ask(pod).headers["x-version"] == "v3"
    lines = ask(pod, "/metrics").text.splitlines()
    counted = [line.split()[-1] for line in lines if line.startswith("http_requests_total{")]
    assert sum(map(float, counted)) >= 3


def test_a_pod_that_takes_long_to_start_is_not_ready_meanwhile(shop: Shop) -> None:
    shop.create(deployment("v1-startup2", replicas=1))
    until(lambda: container(only_pod(shop)).get("started"), "the container runs")
    assert not ready(only_pod(shop))
    until(lambda: ready(only_pod(shop)), "the pod is ready")


def test_a_pod_that_is_never_ready_runs_on(shop: Shop) -> None:
    shop.create(deployment("v1-neverready", replicas=1))
    until(lambda: container(only_pod(shop)).get("started"), "the container runs")
    with pytest.raises(AssertionError):
        until(lambda: ready(only_pod(shop)), "ready", seconds=2.5)
    assert container(only_pod(shop))["restartCount"] == 0


def test_a_pod_that_crashes_is_started_again_with_growing_pauses(shop: Shop) -> None:
    shop.create(deployment("v1-crash1", replicas=1))
    until(lambda: container(only_pod(shop)).get("restartCount", 0) >= 2, "two restarts", 20.0)
    waiting = until(
        lambda: (container(only_pod(shop)).get("state") or {}).get("waiting"), "it waits", 20.0
    )
    assert waiting["reason"] == "CrashLoopBackOff"


def test_a_pod_that_is_deleted_closes_its_connections_at_once(shop: Shop) -> None:
    shop.create(deployment("v1", replicas=1))
    shop.await_ready(SERVICE, 1)
    pod = only_pod(shop)
    shop.scale(SERVICE, 0)
    until(lambda: not shop.pods(app=SERVICE), "the pod is gone")
    with pytest.raises(httpx.ConnectError):
        ask(pod)


def test_an_image_with_a_dial_that_cannot_be_read_says_so(shop: Shop) -> None:
    shop.create(deployment("v1-errors101", replicas=1))

    def told() -> str:
        state = container(only_pod(shop)).get("state") or {}
        last = container(only_pod(shop)).get("lastState") or {}
        return str(state) + str(last)

    until(lambda: "waiting" in told() or "terminated" in told(), "the container does not run")
    assert not ready(only_pod(shop))
    assert shop.get(Kind.DEPLOYMENT)["status"].get("availableReplicas", 0) == 0


def test_a_pod_whose_image_has_no_name_waits_as_on_a_kubelet(shop: Shop) -> None:
    shop.create(deployment("v1/", replicas=1))

    def waiting() -> dict[str, str]:
        return (container(only_pod(shop)).get("state") or {}).get("waiting") or {}

    until(lambda: waiting().get("reason") == "InvalidImageName", "the kubelet's word")
    assert "invalid reference format" in waiting()["message"]
