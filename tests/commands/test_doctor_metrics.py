"""Metrics that are there, and those that are not: of which track, and what to do."""

import pytest

from rollout.commands.doctor.finding import Level
from rollout.resources.writes import Kind
from tests.commands.ward import Ward, one, ward

__all__ = ["ward"]
pytestmark = pytest.mark.system


def test_pods_that_nobody_can_read_are_a_problem(ward: Ward) -> None:
    pod = ward.cluster.list(Kind.POD, "default").items[0]["metadata"]["name"]
    ward.patch(Kind.POD, pod, {"metadata": {"annotations": {"prometheus.io/scrape": "false"}}})
    found = one(ward.bad(), Level.PROBLEM, "web: metrics")
    assert 'annotation prometheus.io/scrape is not "true"' in found.message
    assert "set it in the pod template" in found.mend


def test_pods_that_cannot_be_reached_from_here_are_a_warning(ward: Ward) -> None:
    ward.pod.stop()
    found = one(ward.bad(), Level.WARNING, "web: metrics")
    assert "from here" in found.message
    assert "inside the cluster" in found.mend


def test_counters_that_pods_do_not_show_are_a_problem(ward: Ward) -> None:
    metrics = [{"name": "shed", "kind": "Ratio", "bad": {"metric": "a"}, "total": {"metric": "b"}}]
    ward.patch(Kind.ROLLOUT, "web", {"spec": {"policy": {"inline": {"metrics": metrics}}}})
    found = one(ward.bad(), Level.PROBLEM, "web: metrics")
    assert "stable: no shed: there is no series b of it" in found.message


def test_a_prometheus_that_cannot_be_reached_from_here_is_a_warning(ward: Ward) -> None:
    provider = {"kind": "Prometheus", "address": "http://127.0.0.1:1"}
    ward.patch(Kind.ROLLOUT, "web", {"spec": {"policy": {"inline": {"provider": provider}}}})
    assert "does not answer" in one(ward.bad(), Level.WARNING, "web: metrics").message
