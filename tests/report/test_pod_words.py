"""Pods, events and autoscalers are worded as kubectl words them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from rollout.report.autoscaling import BY_LOAD, FIXED, how_to_change, scaler_row
from rollout.report.event_words import Concerned, event_rows
from rollout.report.pod_words import pod_row, pod_status, version_of_image
from rollout.simulate.names import Names

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def pod(status: dict[str, Any], *, leaving: bool = False, init: int = 0) -> dict[str, Any]:
    gone = {"deletionTimestamp": "2026-11-26T12:00:00Z"} if leaving else {}
    inits = [{"name": f"i{n}"} for n in range(init)]
    containers = [{"name": "web", "image": "reg:5000/web:v1"}, {"name": "log", "image": "log:9"}]
    spec = {"containers": containers, "initContainers": inits}
    return {"metadata": {"name": "p", **gone}, "spec": spec, "status": status}


def containers(*states: dict[str, Any], ready: bool = True) -> dict[str, Any]:
    statuses = [{"state": state, "ready": ready} for state in states]
    return {"phase": "Running", "containerStatuses": statuses}


RUNNING: dict[str, Any] = {"running": {"startedAt": "2026-11-26T11:00:00Z"}}
DONE = {"terminated": {"reason": "Completed", "exitCode": 0}}
READY = {"conditions": [{"type": "Ready", "status": "True"}]}


def waiting(reason: str) -> dict[str, Any]:
    return {"waiting": {"reason": reason}}


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("Running", pod(containers(RUNNING, RUNNING))),
        ("Pending", pod({"phase": "Pending"})),
        ("Evicted", pod({"phase": "Failed", "reason": "Evicted"})),
        ("CrashLoopBackOff", pod(containers(RUNNING, waiting("CrashLoopBackOff")))),
        ("ImagePullBackOff", pod(containers(waiting("ImagePullBackOff")))),
        ("OOMKilled", pod(containers({"terminated": {"reason": "OOMKilled", "exitCode": 137}}))),
        ("ExitCode:3", pod(containers({"terminated": {"exitCode": 3}}))),
        ("Signal:9", pod(containers({"terminated": {"exitCode": 137, "signal": 9}}))),
        ("Terminating", pod(containers(RUNNING), leaving=True)),
        ("Completed", pod({**containers(DONE), "phase": "Succeeded"}, leaving=True)),
        ("Unknown", pod({"phase": "Running", "reason": "NodeLost"}, leaving=True)),
        ("NotReady", pod(containers(RUNNING, DONE))),
        ("Running", pod({**containers(RUNNING, DONE), **READY})),
        (
            "Init:1/2",
            pod({"initContainerStatuses": [{"state": DONE}, {"state": RUNNING}]}, init=2),
        ),
        (
            "Init:Error",
            pod(
                {
                    "initContainerStatuses": [
                        {"state": {"terminated": {"reason": "Error", "exitCode": 1}}}
                    ]
                },
                init=1,
            ),
        ),
        (
            "Init:ImagePullBackOff",
            pod({"initContainerStatuses": [{"state": waiting("ImagePullBackOff")}]}, init=1),
        ),
    ],
)
def test_a_pod_is_in_the_state_that_kubectl_says(said: str, found: dict[str, Any]) -> None:
    assert pod_status(found) == said


def test_restarts_are_counted_with_the_age_of_the_last() -> None:
    ended = [{"terminated": {"finishedAt": f"2026-11-26T11:{m}:00Z"}} for m in (10, 55)]
    statuses = [{"restartCount": n, "lastState": e} for n, e in enumerate(ended, 1)]
    row = pod_row(pod({"containerStatuses": statuses}), "stable", "web")
    assert row.restarts_in_words(NOW) == "3 (5m ago)"
    assert (row.version, row.ready, row.ip, row.node) == ("v1", "0/2", "-", "-")
    assert pod_row(pod({}), "stable", "log").version == "9"
    assert pod_row(pod({}), "stable", "").restarts_in_words(NOW) == "0"


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("web", "latest"),
        ("reg:5000/web", "latest"),
        ("reg:5000/web:v1@sha256:0123", "v1"),
        ("web@sha256:0123456789abcdef", "0123456789ab"),
        ("", "-"),
    ],
)
def test_a_version_is_a_tag_or_the_start_of_a_digest(image: str, version: str) -> None:
    assert version_of_image(image) == version


def event(kind: str, name: str, at: str = "12:00:00", **more: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": f"{name}.1", "creationTimestamp": "2026-11-26T01:00:00Z"},
        "regarding": {"kind": kind, "name": name},
        "note": "said",
        "eventTime": f"2026-11-26T{at}Z",
        **more,
    }


CONCERNED = Concerned(
    {"Rollout": frozenset({"web"}), "Deployment": frozenset({"web", "web-candidate"})},
    ("web", "web-candidate"),
)


@pytest.mark.parametrize(
    ("kind", "name", "covered"),
    [
        ("Rollout", "web", True),
        ("Deployment", "web-candidate", True),
        ("ReplicaSet", "web-6578b7b7f8", True),
        ("Pod", "web-6578b7b7f8-vrth9", True),
        ("Pod", "web-candidate-5896cf7964-gpbcl", True),
        ("Deployment", "web-api", False),
        ("ReplicaSet", "web-api-6578b7b7f8", False),
        ("Pod", "web-api-6578b7b7f8-vrth9", False),
        ("Service", "web", False),
        ("Rollout", "other", False),
    ],
)
def test_events_are_of_the_service_and_of_no_other(kind: str, name: str, covered: bool) -> None:  # noqa: FBT001
    assert CONCERNED.covers(event(kind, name)) is covered


@pytest.mark.parametrize("length", [3, 38, 46, 47, 48, 51, 52, 57, 58, 80])
@pytest.mark.parametrize("known", [True, False])
def test_events_of_pods_with_long_names_are_found(length: int, known: bool) -> None:  # noqa: FBT001
    deployment = "a" * length
    replica_set = f"{deployment}-6578b7b7f8"
    pod = Names("seed").generated(f"{replica_set}-")
    concerned = Concerned({}, (deployment,), frozenset({replica_set} if known else ()))
    assert concerned.covers(event("Pod", pod)) is (known or length <= 51)
    assert concerned.covers(event("ReplicaSet", replica_set))
    other = Names("seed").generated(f"{deployment[1:]}b-6578b7b7f8-")
    assert not concerned.covers(event("Pod", other)) or length > 58


def test_events_come_the_newest_last_by_when_they_were_last_seen() -> None:
    events = [
        event("Rollout", "web", "12:00:03"),
        event("Rollout", "web", "", eventTime=None, deprecatedLastTimestamp="2026-11-26T12:00:01Z"),
        event("Rollout", "web", series={"count": 7, "lastObservedTime": "2026-11-26T12:00:09Z"}),
        event("Pod", "stranger", "12:00:02"),
    ]
    rows = event_rows(events, CONCERNED)
    assert [(row.at.second, row.count) for row in rows] == [(1, 1), (3, 1), (9, 7)]


def scaler(*metrics: dict[str, Any], **labels: str) -> dict[str, Any]:
    current = [
        {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 71}}}
    ]
    condition = {"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas"}
    status = {
        "currentReplicas": 3,
        "desiredReplicas": 5,
        "currentMetrics": current,
        "conditions": [{**condition, "message": "the maximum is reached"}],
    }
    spec = {"maxReplicas": 5, "metrics": list(metrics)}
    return {"metadata": {"name": "web", "labels": labels}, "spec": spec, "status": status}


CPU = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}},
}
QUEUE = {
    "type": "External",
    "external": {
        "metric": {"name": "jobs"},
        "target": {"type": "AverageValue", "averageValue": "9"},
    },
}


def test_an_autoscaler_is_worded_with_its_figures() -> None:
    row = scaler_row(scaler(CPU, QUEUE), fixed=False)
    assert (row.minimum, row.maximum, row.current, row.desired) == (1, 5, 3, 5)
    assert [(m.name, m.current, m.target) for m in row.metrics] == [
        ("cpu", "71%", "60%"),
        ("jobs", "<unknown>", "9"),
    ]
    assert row.conditions == ("ScalingLimited True (TooManyReplicas): the maximum is reached",)
    assert (row.release, scaler_row(scaler(CPU), fixed=True).release) == (BY_LOAD, FIXED)


def test_bounds_are_changed_where_they_were_made() -> None:
    plain = "kubectl patch hpa web -n shop --type merge -p "
    assert how_to_change(scaler(), "shop") == (
        plain + '\'{"spec":{"minReplicas":MIN,"maxReplicas":MAX}}\''
    )
    by_keda = scaler(**{"scaledobject.keda.sh/name": "jobs"})
    assert "patch scaledobject jobs -n shop" in how_to_change(by_keda, "shop")
    assert "minReplicaCount" in how_to_change(by_keda, "shop")
