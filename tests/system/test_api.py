"""A release by HTTP alone, on a whole practice cluster: started, followed, rolled back.

The controller is a process of its own, pods and edge are real, and so are the people: one who
ships, one who is on call.
"""

import json
import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from httpx_sse import EventSource

from rollout.resources.writes import Kind
from rollout.sandbox.apiserver.users import Rule, User
from rollout.sandbox.load import Load, Plan
from rollout.sandbox.practice import PracticeCluster
from tests import shop
from tests.sandbox.practice import await_served

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]
ROOT: Final = "/api/v1/namespaces/default"
READ: Final = frozenset({"get", "list", "watch"})
ON_CALL: Final = Rule(READ | {"rollback"}, frozenset({"releases"}), "default")
SHIPPER: Final = Rule(READ | {"create", "retry"}, frozenset({"releases"}), "default")


@pytest.fixture
def practice(tmp_path: Path) -> Iterator[PracticeCluster]:
    with PracticeCluster(tmp_path) as practice:
        practice.server.tokens["shipper"] = User("shipper", rules=(SHIPPER,))
        practice.server.tokens["on-call"] = User("on-call", rules=(ON_CALL,))
        practice.apply(shop.objects())
        practice.start_controller()
        await_served(practice.edge.url, shop.HOST)
        yield practice


def as_(practice: PracticeCluster, who: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {who}"}
    return httpx.Client(base_url=practice.api_url(), headers=headers, trust_env=False, timeout=20)


def follow(client: httpx.Client, name: str) -> Iterator[dict[str, Any]]:
    """Give the status of a release, as it changes."""
    with client.stream("GET", f"{ROOT}/releases/{name}/stream") as answer:
        for event in EventSource(answer).iter_sse():
            if event.event == "release":
                yield json.loads(event.data)["status"]


def test_a_release_is_shipped_and_taken_back_by_http_alone(practice: PracticeCluster) -> None:
    plan = Plan(practice.edge.url, host=shop.HOST, rate=60, seconds=170)
    with as_(practice, "shipper") as shipper, as_(practice, "on-call") as on_call, Load(plan):
        good = started(shipper, "v1.1.0")
        weights = [status["weight"]["applied"] for status in until_ended(shipper, good)]
        assert {20, 50} <= set(weights)
        assert state(shipper, good)["phase"] == "Succeeded"
        bad = started(shipper, "v1.2.0")
        for status in follow(on_call, bad):
            if status["weight"]["applied"] > 0:
                break
        body = {"type": "promote", "reason": "it is late"}
        assert on_call.post(f"{ROOT}/releases/{bad}/actions", json=body).status_code == 403
        body = {"type": "rollback", "reason": "latency"}
        answer = on_call.post(f"{ROOT}/releases/{bad}/actions", json=body)
        assert answer.status_code == 202, answer.text
        for status in until_ended(on_call, bad):
            assert status["phase"] != "Progressing" or not status["actions"]
        ended = state(on_call, bad)
    assert ended["phase"] == "RolledBack"
    assert (ended["actions"][0]["by"], ended["actions"][0]["reason"]) == ("on-call", "latency")
    image = practice.shop(Kind.DEPLOYMENT, "web")["spec"]["template"]["spec"]["containers"][0]
    assert image["image"].endswith(":v1.1.0")


def started(client: httpx.Client, version: str) -> str:
    body = {"version": version, "reason": "by HTTP"}
    answer = client.post(f"{ROOT}/rollouts/web/releases", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["release"]["metadata"]["name"])


def until_ended(client: httpx.Client, name: str) -> Iterator[dict[str, Any]]:
    for status in follow(client, name):
        yield status
        if status["phase"] in {"Succeeded", "RolledBack", "Failed"}:
            return


def state(client: httpx.Client, name: str) -> dict[str, Any]:
    said: dict[str, Any] = client.get(f"{ROOT}/releases/{name}").json()["status"]
    return said


def test_a_stop_with_an_open_stream_is_quick_and_gives_the_lease_back(
    practice: PracticeCluster,
) -> None:
    controller = practice.controller
    assert controller is not None
    with as_(practice, "on-call") as client:
        with client.stream("GET", f"{ROOT}/releases/stream") as answer:
            events = EventSource(answer).iter_sse()
            assert next(events).event == "synced"
            assert practice.cluster.get(Kind.LEASE, "default", "rollout-controller")["spec"][
                "holderIdentity"
            ]
            controller.send_signal(signal.SIGTERM)
            assert json.loads(list(events)[-1].data)["reason"] == "stopping"
        assert controller.wait(10) == 0
    assert seconds_to_stop(practice) < 2
    lease = practice.cluster.get(Kind.LEASE, "default", "rollout-controller")
    assert not lease["spec"].get("holderIdentity")


def seconds_to_stop(practice: PracticeCluster) -> float:
    """How long the controller took by its own clock; ending the interpreter is not in it."""
    lines = (practice.folder / "controller.log").read_text().splitlines()
    at = {
        said["event"]: datetime.fromisoformat(said["timestamp"]) for said in map(json.loads, lines)
    }
    return (at["stopped"] - at["stopping"]).total_seconds()
