"""The rule for prometheus-adapter beside the component makes the metric that the autoscaler names.

A real Prometheus reads the sample service; the adapter's own words are filled in as it does.
"""

import re
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final

import httpx
import pytest
import yaml

from rollout.sandbox.processes import end, start_bound
from tests.controlplane.ports import ADDRESS, PortLease
from tests.examples.test_behind_a_proxy import await_service
from tests.examples.trees import EXAMPLE
from tests.prometheus.config import Target
from tests.prometheus.server import Prometheus

pytestmark = [pytest.mark.system, pytest.mark.timeout(90)]
COMPONENT: Final = EXAMPLE / "components" / "requests-metric"
RULES: Final = yaml.safe_load((COMPONENT / "prometheus-adapter-values.yaml").read_text())["rules"]
(RULE,) = RULES["custom"]
SERIES: Final = str(RULE["seriesQuery"]).partition("{")[0]
WINDOW: Final = 120
"""Seconds over which the rule looks back."""
ASKED: Final = {"agent-0": 600, "agent-1": 240}
"""Requests to each pod."""


def metric() -> dict[str, Any]:
    """What the component has the autoscaler follow."""
    (patch,) = yaml.safe_load((COMPONENT / "kustomization.yaml").read_text())["patches"]
    (added,) = yaml.safe_load(patch["patch"])
    found: dict[str, Any] = added["value"]
    return found


def test_it_makes_the_metric_that_the_autoscaler_names() -> None:
    name = re.sub(RULE["name"]["matches"], RULE["name"]["as"], SERIES)
    assert metric()["type"] == "Pods"
    assert metric()["pods"]["metric"]["name"] == name


def filled_in(labels: dict[str, str], by: str) -> str:
    """Put what the adapter would in place of its own words."""
    words = {
        "Series": SERIES,
        "LabelMatchers": ",".join(f'{name}=~"{value}"' for name, value in labels.items()),
        "GroupBy": by,
    }
    return re.sub(r"<<\.(\w+)>>", lambda found: words[found[1]], str(RULE["metricsQuery"]))


@pytest.fixture(scope="module")
def pods(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, httpx.Client]]:
    """Speak with two pods of the sample service, each by itself."""
    folder = tmp_path_factory.mktemp("pods")
    with ExitStack() as stack:
        ports = stack.enter_context(PortLease(len(ASKED))).ports
        found = {}
        for name, port in zip(ASKED, ports, strict=True):
            known = {"PYTHONPATH": str(EXAMPLE / "service"), "HOST": ADDRESS, "PORT": str(port)}
            words = [f"{variable}={value}" for variable, value in known.items()]
            command = ["/usr/bin/env", *words, sys.executable, "-m", "gemini_agent"]
            stack.callback(end, start_bound(command, folder / name))
            client = httpx.Client(base_url=f"http://{ADDRESS}:{port}", trust_env=False)
            found[name] = stack.enter_context(client)
        for client in found.values():
            await_service(client)
        yield found


@pytest.fixture(scope="module")
def prometheus(
    pods: dict[str, httpx.Client], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """One that reads both pods, and has seen all that they were asked."""
    with Prometheus(tmp_path_factory.mktemp("prometheus")) as server:
        labels = {"namespace": "shop", "__metrics_path__": "/metrics"}
        urls = {name: client.base_url for name, client in pods.items()}
        server.set_targets(
            [
                Target(f"{url.host}:{url.port}", {"pod": name, **labels})
                for name, url in urls.items()
            ]
        )
        ask(pods, dict.fromkeys(ASKED, 1))
        await_counted(server, dict.fromkeys(ASKED, 1))
        ask(pods, ASKED)
        await_counted(server, {name: 1 + count for name, count in ASKED.items()})
        await_samples(server)
        yield server


def ask(pods: dict[str, httpx.Client], counts: dict[str, int]) -> None:
    for name, count in counts.items():
        assert all(pods[name].get("/").is_success for _ in range(count))


def await_counted(server: Prometheus, counts: dict[str, int]) -> None:
    deadline = time.monotonic() + 20
    while (found := by_pod(server, f"sum({SERIES}) by (pod)")) != counts:
        assert time.monotonic() < deadline, f"{found}, not {counts}"
        time.sleep(0.1)


def await_samples(server: Prometheus) -> None:
    """Wait until each has two samples at the moment of the last one of the other."""
    query = f"min(count_over_time({SERIES}[1m])) by (pod)"
    deadline = time.monotonic() + 20
    while min((found := by_pod(server, query)).values()) <= 2:
        assert time.monotonic() < deadline, f"{found} samples"
        time.sleep(0.1)


def by_pod(server: Prometheus, query: str, at: float | None = None) -> dict[str, float]:
    """Ask for a number for each pod, as they are at a moment or now."""
    asked = {"query": query, **({"time": f"{at:.3f}"} if at is not None else {})}
    answer = httpx.get(f"{server.address}/api/v1/query", params=asked, timeout=5, trust_env=False)
    assert answer.is_success, answer.text
    found = answer.json()["data"]["result"]
    return {one["metric"]["pod"]: float(one["value"][1]) for one in found}


def test_the_series_of_the_pods_are_found(prometheus: Prometheus) -> None:
    asked = {"match[]": RULE["seriesQuery"]}
    answer = httpx.get(f"{prometheus.address}/api/v1/series", params=asked, trust_env=False)
    found = answer.json()["data"]
    overrides = RULE["resources"]["overrides"]
    assert {one["pod"] for one in found} == set(ASKED)
    assert all(overrides.keys() <= one.keys() for one in found)
    assert {label: to["resource"] for label, to in overrides.items()} == {
        "namespace": "namespace",
        "pod": "pod",
    }


@pytest.mark.parametrize("pod", ASKED)
def test_each_pod_gets_its_own_requests_a_second(prometheus: Prometheus, pod: str) -> None:
    """At the moment of its last sample, so that Prometheus guesses nothing beyond it."""
    query = filled_in({"namespace": "shop", "pod": "|".join(ASKED)}, "pod")
    at = by_pod(prometheus, f"max(timestamp({SERIES})) by (pod)")[pod]
    found = by_pod(prometheus, query, at)
    assert found.keys() == ASKED.keys()
    assert found[pod] == pytest.approx(ASKED[pod] / WINDOW, rel=0.02)


def test_pods_of_another_namespace_are_none_of_it(prometheus: Prometheus) -> None:
    assert by_pod(prometheus, filled_in({"namespace": "other", "pod": "agent-0"}, "pod")) == {}
