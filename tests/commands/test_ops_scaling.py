"""A service is scaled where nobody else owns its size, and its autoscalers are told."""

from collections.abc import Iterator
from typing import Any

import pytest

from rollout.commands.ops.family import Looks, find_family, members, pick
from rollout.commands.ops.forwarding import Ports, read_ports
from rollout.commands.ops.scaling import scale, scaler_rows
from rollout.commands.refusal import CommandRefusedError, NotThereError, UnclearError
from rollout.kube.client import HttpCluster
from rollout.report.autoscaling import FIXED
from rollout.resources.track import Track
from rollout.resources.writes import Create, Delete, Kind
from rollout.sandbox.apiserver import ApiServer
from tests import build
from tests.defined import define
from tests.sandbox.practice import until

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def cluster() -> Iterator[HttpCluster]:
    with ApiServer() as server:
        found = HttpCluster.for_server(server.url, server.token)
        define(found)
        found.apply(Create(Kind.DEPLOYMENT, "default", build.deployment()))
        found.apply(Create(Kind.ROLLOUT, "default", build.rollout()))
        yield found
        found.close()


def autoscaler(target: str, metric: str = "cpu") -> dict[str, Any]:
    source = {"name": metric, "target": {"type": "Utilization", "averageUtilization": 60}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": f"{target}-scaler"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
            "minReplicas": 2,
            "maxReplicas": 9,
            "metrics": [{"type": "Resource", "resource": source}],
        },
    }


@pytest.fixture
def scaler(cluster: HttpCluster, request: pytest.FixtureRequest) -> Iterator[None]:
    body = autoscaler(*request.param)
    cluster.apply(Create(Kind.HORIZONTAL_POD_AUTOSCALER, "default", body))
    yield
    name = body["metadata"]["name"]
    cluster.apply(Delete(Kind.HORIZONTAL_POD_AUTOSCALER, "default", name))


def replicas(cluster: HttpCluster) -> int:
    return int(cluster.get(Kind.DEPLOYMENT, "default", "web")["spec"]["replicas"])


@pytest.mark.usefixtures("scaler")
@pytest.mark.parametrize("scaler", [("another",)], indirect=True)
def test_the_size_is_set_and_said(cluster: HttpCluster) -> None:
    done = scale(cluster, "default", None, 6)
    assert done.message == f"Deployment web: {done.before} to 6 replicas"
    assert replicas(cluster) == 6
    assert scale(cluster, "default", "web", 0).replicas == 0, "no release runs"
    assert scale(cluster, "default", "web", 4).before == 0
    assert scaler_rows(cluster, "default", find_family(cluster, "default", None)) == []


@pytest.mark.usefixtures("scaler")
@pytest.mark.parametrize("scaler", [("web", "memory")], indirect=True)
def test_an_autoscaler_that_owns_the_size_is_not_fought(cluster: HttpCluster) -> None:
    before = replicas(cluster)
    with pytest.raises(CommandRefusedError) as refused:
        scale(cluster, "default", "web", before + 1)
    assert str(refused.value) == (
        "HorizontalPodAutoscaler web-scaler owns the replicas of Deployment web (2 to 9) and would "
        "take the change back: change its bounds, kubectl patch hpa web-scaler -n default --type "
        'merge -p \'{"spec":{"minReplicas":MIN,"maxReplicas":MAX}}\''
    )
    assert replicas(cluster) == before
    rows = scaler_rows(cluster, "default", find_family(cluster, "default", None))
    assert [(row.minimum, row.maximum, row.release) for row in rows] == [(2, 9, FIXED)]
    assert [(m.name, m.current, m.target) for m in rows[0].metrics] == [
        ("memory", "<unknown>", "60%")
    ]


def test_a_pod_that_is_not_ready_is_not_picked(cluster: HttpCluster) -> None:
    scale(cluster, "default", "web", 4)
    looks = Looks(cluster, "default", None)
    found = until(lambda: found if len(found := looks.members()) == 4 else None, "four pods")
    assert {member.side.value for member in found} == {"stable"}
    with pytest.raises(NotThereError, match=r"no pod is ready \(there are: web-"):
        pick(found, Track.ALL, None)
    with pytest.raises(NotThereError, match=r"no candidate pod is ready \(there are: none at all"):
        pick(members(cluster, "default", looks.family, Track.CANDIDATE), Track.CANDIDATE, None)
    assert pick(found, Track.ALL, found[2].name) is found[2], "asked for by name"


def test_a_rollout_without_its_deployment_is_said(cluster: HttpCluster) -> None:
    lost = {**build.rollout("lost")}
    lost["spec"] = {**lost["spec"], "target": {"deployment": "gone"}}
    cluster.apply(Create(Kind.ROLLOUT, "default", lost))
    with pytest.raises(NotThereError, match="Rollout lost ships Deployment gone, which is not in"):
        find_family(cluster, "default", "lost")
    cluster.apply(Delete(Kind.ROLLOUT, "default", "lost"))


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("8080", Ports(None, "8080")),
        ("http", Ports(None, "http")),
        (":http", Ports(0, "http")),
        ("0:8080", Ports(0, "8080")),
        ("9090:http", Ports(9090, "http")),
    ],
)
def test_ports_are_read(text: str, ports: Ports) -> None:
    assert read_ports(text) == ports


@pytest.mark.parametrize("text", ["", "8080:", "x:80", "70000:80", "80:0", "80:70000", "-1:80"])
def test_ports_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UnclearError, match="write \\[LOCAL:\\]REMOTE"):
        read_ports(text)
