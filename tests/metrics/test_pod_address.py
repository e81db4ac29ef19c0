from typing import Any

import pytest

from rollout.metrics.provider import PodAddress, pod_address

SCRAPED = {"prometheus.io/scrape": "true", "prometheus.io/port": "9100"}


def pod(
    annotations: dict[str, str] | None, ports: list[int] | None = None, **status: str
) -> dict[str, Any]:
    return {
        "metadata": {"name": "web-1", "annotations": annotations},
        "spec": {"containers": [{"ports": [{"containerPort": port} for port in ports or []]}]},
        "status": {"podIP": "10.244.0.7", "phase": "Running", **status},
    }


def test_annotations_say_where_metrics_are() -> None:
    notes = {**SCRAPED, "prometheus.io/path": "stats/prometheus"}
    assert pod_address(pod(notes)) == PodAddress("web-1", "10.244.0.7", 9100, "/stats/prometheus")


def test_only_port_of_a_pod_needs_no_annotation() -> None:
    found = pod_address(pod({"prometheus.io/scrape": "true"}, [8080]))
    assert found == PodAddress("web-1", "10.244.0.7", 8080)


@pytest.mark.parametrize("status", [{"podIP": ""}, {"phase": "Succeeded"}, {"phase": "Failed"}])
def test_pod_without_a_process_is_none(status: dict[str, str]) -> None:
    assert pod_address(pod(SCRAPED, None, **status)) is None


@pytest.mark.parametrize(
    ("annotations", "ports", "fix"),
    [
        (None, [8080], 'prometheus.io/scrape is not "true": set it in the pod template'),
        ({"prometheus.io/scrape": "false"}, [8080], "prometheus.io/scrape"),
        ({"prometheus.io/scrape": "true"}, [80, 81], "prometheus.io/port names no port"),
        ({"prometheus.io/scrape": "true"}, [], "prometheus.io/port names no port"),
        ({**SCRAPED, "prometheus.io/port": "http"}, [80], "prometheus.io/port names no port"),
        ({**SCRAPED, "prometheus.io/scheme": "https"}, [], "only http is read here"),
    ],
)
def test_pod_that_does_not_say_where_its_metrics_are_has_a_problem_with_a_fix(
    annotations: dict[str, str] | None, ports: list[int], fix: str
) -> None:
    found = pod_address(pod(annotations, ports))
    assert found is not None
    assert fix in found.problem
