"""Metrics that are there, and those that are not: of which track, and what to do."""

from collections.abc import Iterator

import pytest

from rollout.commands.doctor.finding import Level
from rollout.resources.objects import name_of
from rollout.resources.writes import Kind, Object
from tests.commands.ward import Ward, inline, one, prometheus, ward
from tests.metrics.pods import SamplePod
from tests.prometheus.server import Prometheus
from tests.sandbox.practice import until

__all__ = ["prometheus", "ward"]
pytestmark = pytest.mark.system


def test_pods_that_nobody_can_read_are_a_problem(ward: Ward) -> None:
    pod = ward.cluster.list(Kind.POD, "default").items[0]["metadata"]["name"]
    ward.patch(Kind.POD, pod, {"metadata": {"annotations": {"prometheus.io/scrape": "false"}}})
    found = one(ward.bad(), Level.PROBLEM, "web: metrics")
    said = 'stable: 1 of 1 pods: annotation prometheus.io/scrape is not "true"'
    assert found.message == said
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


@pytest.fixture
def candidate() -> Iterator[SamplePod]:
    pod = SamplePod("candidatehash")
    yield pod
    pod.stop()


def test_while_a_release_runs_both_tracks_are_counted(ward: Ward, candidate: SamplePod) -> None:
    candidate.serve(3)
    ward.release(candidate)
    assert [(f.level, f.message) for f in ward.metrics()] == [
        (Level.OK, "stable: errors, latency are counted"),
        (Level.OK, "candidate: errors, latency are counted"),
    ]


def test_a_candidate_that_shows_no_counters_is_named_with_what_to_do(
    ward: Ward, candidate: SamplePod
) -> None:
    ward.release(candidate)
    stable, silent = ward.metrics()
    assert (stable.level, silent.level) == (Level.OK, Level.PROBLEM)
    assert silent.message == ("candidate: no errors: there is no series http_requests_total of it")
    assert silent.mend.startswith("send it a request")


def test_a_candidate_that_cannot_be_read_though_stable_can_is_named_with_what_to_do(
    ward: Ward, candidate: SamplePod
) -> None:
    candidate.stop()
    ward.release(candidate)
    stable, silent = ward.metrics()
    assert (stable.level, silent.level) == (Level.OK, Level.PROBLEM)
    assert silent.message.startswith("candidate: no errors, latency: 1 of 1 pods could not be read")
    assert silent.mend.startswith("let its pods serve metrics at the port and path")


def test_a_candidate_whose_pods_name_no_metrics_is_named(ward: Ward, candidate: SamplePod) -> None:
    ward.release(candidate)
    pods = ward.cluster.list(Kind.POD, "default", "app=web-candidate").items
    notes = {"prometheus.io/port": "metrics"}
    ward.patch(Kind.POD, name_of(pods[0]), {"metadata": {"annotations": notes}})
    (found,) = ward.metrics()
    assert found.level is Level.PROBLEM
    assert found.message == ("candidate: 1 of 1 pods: annotation prometheus.io/port names no port")
    assert found.mend == "set the number of the port with metrics"


def test_a_candidate_without_requests_yet_is_only_a_warning(
    ward: Ward, candidate: SamplePod
) -> None:
    ward.release(candidate, weight=0)
    stable, silent = ward.metrics()
    assert (stable.level, silent.level) == (Level.OK, Level.WARNING)
    assert silent.message.endswith("; it gets no requests yet")


def test_a_stable_version_that_is_silent_beside_a_candidate_is_named(
    ward: Ward, candidate: SamplePod
) -> None:
    ward.pod.restart()
    candidate.serve(3)
    ward.release(candidate)
    silent, found = ward.metrics()
    assert (silent.level, found.level) == (Level.PROBLEM, Level.OK)
    assert silent.message.startswith("stable: no errors")


def test_after_the_cutover_stable_may_be_silent(ward: Ward, candidate: SamplePod) -> None:
    ward.pod.restart()
    candidate.serve(3)
    ward.release(candidate, phase="Baking", marks={"cutover": "2026-01-01T00:00:00Z"})
    (found,) = ward.metrics()
    assert (found.level, found.message) == (Level.OK, "candidate: errors, latency are counted")


def test_one_pod_of_several_that_cannot_be_read_is_a_warning(
    ward: Ward, candidate: SamplePod
) -> None:
    candidate.stop()
    ward.patch(Kind.DEPLOYMENT, "web", {"spec": {"replicas": 2}})

    def second() -> Object | None:
        pods = ward.cluster.list(Kind.POD, "default").items
        return next((pod for pod in pods if "podIP" not in pod["status"]), None)

    ward.make_ready(name_of(until(second, "the second pod")), candidate)
    found = ward.metrics()[0]
    assert found.level is Level.WARNING
    assert found.message.startswith("stable: errors, latency are counted, but 1 of 2 pods could")


def test_while_a_release_runs_prometheus_is_asked_for_both_tracks(
    ward: Ward, candidate: SamplePod, prometheus: Prometheus
) -> None:
    ward.patch(Kind.ROLLOUT, "web", {"spec": inline(prometheus.address)})
    ward.release(candidate)
    stable, unread = ward.heard("stable: errors, latency are counted")
    assert (stable.level, unread.level) == (Level.OK, Level.PROBLEM)
    assert unread.message.startswith("candidate: no errors, latency: there is no series http_req")
    assert unread.mend.startswith("let Prometheus scrape its pods as those of the other version")

    ward.follow(prometheus)
    stable, silent = ward.heard("candidate: no errors: ")
    assert (stable.level, silent.level) == (Level.OK, Level.PROBLEM)
    assert silent.message == "candidate: no errors: there is no series http_requests_total of it"
    assert silent.mend.startswith("send it a request")

    candidate.serve(3)
    found = ward.heard("candidate: errors, latency are counted")
    assert {finding.level for finding in found} == {Level.OK}


def test_a_prometheus_that_knows_neither_track_is_a_problem_of_both(
    ward: Ward, candidate: SamplePod, prometheus: Prometheus
) -> None:
    prometheus.set_targets([])
    ward.patch(Kind.ROLLOUT, "web", {"spec": inline(prometheus.address)})
    ward.release(candidate)
    (found,) = ward.heard("stable and candidate: ")
    assert found.level is Level.PROBLEM
    assert "has neither series nor targets of the pods" in found.message
    assert found.mend == "let the pods be scraped, or correct the provider's trackMatchers"
