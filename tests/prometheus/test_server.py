"""The helper itself: a Prometheus is found, started, fed, and gone afterwards."""

import time
from pathlib import Path

import httpx
import pytest

from rollout.metrics.addresses import AddressMap
from tests.debian import PROMETHEUS, ProgramMissingError
from tests.prometheus.config import Target
from tests.prometheus.pods import PodFollower
from tests.prometheus.server import Prometheus

pytestmark = pytest.mark.system


def asked(server: Prometheus, query: str) -> list[dict[str, object]]:
    answer = httpx.get(f"{server.address}/api/v1/query", params={"query": query}, timeout=2)
    result: list[dict[str, object]] = answer.json()["data"]["result"]
    return result


def test_targets_are_scraped_with_their_labels(tmp_path: Path) -> None:
    with Prometheus(tmp_path) as server:
        own = server.address.removeprefix("http://")
        server.set_targets([Target(own, {"pod": "self"})])
        deadline = time.monotonic() + 15
        while not asked(server, 'up{pod="self"} == 1'):
            assert time.monotonic() < deadline, "not scraped within 15 s"
            time.sleep(0.1)


def test_it_keeps_its_port_over_an_outage(tmp_path: Path) -> None:
    with Prometheus(tmp_path) as server:
        before = server.address
        server.stop()
        with pytest.raises(httpx.ConnectError):
            httpx.get(before, timeout=2)
        server.start()
        assert httpx.get(f"{before}/-/ready", timeout=2).is_success


def test_wrong_configuration_is_told_with_the_log(tmp_path: Path) -> None:
    server = Prometheus(tmp_path, {"scrape_configs": [{"nonsense": 1}]})
    with pytest.raises(RuntimeError, match="nonsense"):
        server.start()
    server.close()


def shown(name: str, ip: str, annotations: dict[str, str]) -> dict[str, object]:
    return {
        "metadata": {"name": name, "namespace": "shop", "annotations": annotations},
        "status": {"podIP": ip, "phase": "Running"},
    }


def test_followed_pods_become_targets_where_they_are_reached(tmp_path: Path) -> None:
    notes = {"prometheus.io/scrape": "true", "prometheus.io/path": "/metrics"}
    with Prometheus(tmp_path) as server:
        port = server.address.rpartition(":")[2]
        pod = shown("web-1", "10.244.0.1", {**notes, "prometheus.io/port": port})
        silent = shown("web-2", "10.244.0.2", {})
        addresses = AddressMap.parse("10.244.0.0/24=127.0.0.0/24")
        with PodFollower(server, lambda: [pod, silent], addresses) as follower:
            deadline = time.monotonic() + 15
            while not asked(server, 'up{namespace="shop"} == 1'):
                assert time.monotonic() < deadline, "not scraped within 15 s"
                time.sleep(0.1)
        assert follower.problem is None
        assert len(asked(server, "up")) == 1


def test_follower_keeps_the_targets_when_pods_cannot_be_listed(tmp_path: Path) -> None:
    def refused() -> list[dict[str, object]]:
        raise ConnectionRefusedError("nobody there")

    server = Prometheus(tmp_path)
    server.set_targets([Target("127.0.0.1:1", {})])
    with PodFollower(server, refused, AddressMap.identity()) as follower:
        deadline = time.monotonic() + 5
        while follower.problem is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    server.close()
    assert "127.0.0.1:1" in (tmp_path / "targets.yml").read_text()


def test_missing_program_is_told_with_a_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ProgramMissingError, match="put `prometheus` and `promtool` on PATH"):
        PROMETHEUS.program("prometheus")
