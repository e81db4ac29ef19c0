"""The pages that the kubelet and Prometheus ask for."""

from collections.abc import Iterator

import httpx
import pytest

from rollout.controller.http import Probes
from rollout.controller.metrics import Metrics

WRONG: list[str] = []


@pytest.fixture
def probes() -> Iterator[Probes]:
    WRONG.clear()
    metrics = Metrics()
    metrics.follow(lambda: True, lambda: 3, lambda: {"Baking": 2, "Pending": 0})
    probes = Probes(("127.0.0.1", 0), lambda: WRONG, list, metrics.text)
    probes.start()
    yield probes
    probes.stop()


def get(probes: Probes, path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{probes.port}{path}", trust_env=False, timeout=3)


def test_all_is_well(probes: Probes) -> None:
    for path in ("/healthz", "/readyz", "/readyz?verbose"):
        answer = get(probes, path)
        assert (answer.status_code, answer.text) == (200, "ok\n")


def test_what_is_wrong_is_said_in_words(probes: Probes) -> None:
    WRONG.extend(["worker-1 has ended", "worker-2 has ended"])
    answer = get(probes, "/healthz")
    assert answer.status_code == 503
    assert answer.text == "worker-1 has ended\nworker-2 has ended\n"
    assert get(probes, "/readyz").status_code == 200


def test_metrics_are_asked_for_when_they_are_read(probes: Probes) -> None:
    text = get(probes, "/metrics").text
    assert "rollout_controller_leader 1.0" in text
    assert "rollout_controller_queue_depth 3.0" in text
    assert 'rollout_controller_releases{phase="Baking"} 2.0' in text


def test_other_pages_do_not_exist(probes: Probes) -> None:
    assert get(probes, "/").status_code == 404


def test_a_port_that_is_taken_is_an_error_at_once(probes: Probes) -> None:
    with pytest.raises(OSError, match="in use"):
        Probes(("127.0.0.1", probes.port), list, list, bytes)
