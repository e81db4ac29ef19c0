"""A real control plane that is frozen and killed: what `kube/` rests on must hold there too."""

import time
from collections.abc import Callable, Iterator

import pytest

from rollout.kube.client import HttpCluster
from rollout.kube.lease import Durations, Elector
from rollout.kube.reflector import BackOff, Reflector
from rollout.resources.writes import Create, Kind, Patch, PatchType
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.components import Component

pytestmark = pytest.mark.controlplane

DURATIONS = Durations(lease=3, renew=2, retry=0.2)


@pytest.fixture
def cluster(own_control_plane: ControlPlane) -> Iterator[HttpCluster]:
    access = own_control_plane.access
    cluster = HttpCluster.for_server(access.url, access.token(), str(access.ca_file))
    yield cluster
    cluster.close()


def wait(until: Callable[[], object], seconds: float = 20.0) -> float:
    began = time.monotonic()
    while not until():
        assert time.monotonic() < began + seconds, "waited in vain"
        time.sleep(0.01)
    return time.monotonic() - began


def test_leadership_and_caches_survive_a_server_that_freezes_and_dies(
    own_control_plane: ControlPlane, cluster: HttpCluster
) -> None:
    told: list[str] = []
    elector = Elector(
        cluster,
        "default",
        "controller",
        "one",
        DURATIONS,
        on_started=lambda: told.append("started"),
        on_stopped=lambda: told.append("stopped"),
    )
    reflector = Reflector(
        cluster,
        Kind.CONFIG_MAP,
        "default",
        lambda _: None,
        back_off=BackOff(longest=1),
        watch_seconds=3,
    )
    elector.start()
    reflector.start()
    wait(lambda: told == ["started"])
    cluster.apply(Create(Kind.CONFIG_MAP, "default", {"metadata": {"name": "c"}}))
    wait(lambda: reflector.get("default", "c"))

    own_control_plane.pause(Component.API_SERVER)
    assert wait(lambda: not elector.is_leader()) < DURATIONS.renew + 0.2
    assert wait(lambda: told == ["started", "stopped"]) < 0.2
    wait(lambda: reflector.problem)  # a frozen server is noticed though no connection breaks
    own_control_plane.resume(Component.API_SERVER)
    wait(elector.is_leader)
    wait(lambda: reflector.problem is None)

    own_control_plane.kill(Component.API_SERVER)
    wait(lambda: not elector.is_leader())
    own_control_plane.restart(Component.API_SERVER)
    wait(elector.is_leader)
    data = {"data": {"after": "the restart"}}
    cluster.apply(Patch(Kind.CONFIG_MAP, "default", "c", PatchType.MERGE, data))
    wait(lambda: (reflector.get("default", "c") or {}).get("data") == data["data"])

    began = time.monotonic()
    reflector.stop()
    elector.stop()
    assert time.monotonic() - began < 1
    spec = cluster.get(Kind.LEASE, "default", "controller")["spec"]
    assert spec["holderIdentity"] == ""
    assert told == ["started", "stopped", "started", "stopped", "started", "stopped"]
