"""Every scenario, on the practice API server and on the real control plane.

Real controller process, real HTTP traffic through a real Envoy, every answer counted. No request
may be lost, everything that the user owned must be back, and the timeline must tell the story.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout.kube.client import HttpCluster
from rollout.kube.errors import AlreadyExists
from rollout.resources.crd import definitions
from rollout.resources.release import Phase, Release
from rollout.resources.words import LATCH, POD_TEMPLATE_HASH, RESTORE
from rollout.resources.writes import Create, Kind
from rollout.sandbox.apiserver import ApiServer
from tests.controlplane.access import Access
from tests.scenarios.deeds import carry_out, holds
from tests.scenarios.scenario import Scenario, scenarios
from tests.scenarios.stage import Server, Stage

pytestmark = [pytest.mark.system, pytest.mark.timeout(150)]
ALL = scenarios()


def on(server: str) -> list[Scenario]:
    return [scenario for scenario in ALL if server in scenario.servers]


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Server]:
    with ApiServer() as api:
        cluster = HttpCluster.for_server(api.url, api.token)
        install(cluster)
        cluster.close()
        kubeconfig = api.write_kubeconfig(tmp_path / "kubeconfig")
        yield Server("emulator", api.url, api.token, None, kubeconfig)


@pytest.fixture
def real(control_plane: Access) -> Server:
    token = control_plane.token()
    cluster = HttpCluster.for_server(control_plane.url, token, str(control_plane.ca_file))
    install(cluster)
    cluster.close()
    return Server(
        "real", control_plane.url, token, str(control_plane.ca_file), control_plane.kubeconfig
    )


def install(cluster: HttpCluster) -> None:
    for body in definitions():
        try:
            cluster.apply(Create(Kind.CUSTOM_RESOURCE_DEFINITION, "", body))
        except AlreadyExists:
            continue
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = cluster.list(Kind.CUSTOM_RESOURCE_DEFINITION).items
        ours = [crd for crd in found if crd["spec"]["group"] == "rollout.dev"]
        if len(ours) == 3 and all(map(established, ours)):
            return
        time.sleep(0.05)
    raise AssertionError("the CRDs were not established in 20 s")


def established(crd: object) -> bool:
    assert isinstance(crd, dict)
    conditions = crd.get("status", {}).get("conditions") or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


@pytest.mark.parametrize("scenario", on("emulator"), ids=lambda s: s.claim)
def test_on_the_practice_api_server(scenario: Scenario, emulator: Server, tmp_path: Path) -> None:
    with Stage(emulator, "default", scenario, tmp_path) as stage:
        play(stage)


@pytest.mark.controlplane
@pytest.mark.parametrize("scenario", on("real"), ids=lambda s: s.claim)
def test_on_the_real_control_plane(
    scenario: Scenario, real: Server, namespace: str, tmp_path: Path
) -> None:
    with Stage(real, namespace, scenario, tmp_path) as stage:
        play(stage)


def play(stage: Stage) -> None:
    scenario = stage.scenario
    stage.start_controller()
    time.sleep(1.0)
    started = stage.cli("start", scenario.version, "--rollout", "web", "--reason", "scenario")
    assert started.returncode == 0, started.stdout + started.stderr
    release, highest = follow(stage)
    check_end(stage, release, highest)
    check_requests(stage)
    if release.status.phase.ended:
        check_given_back(stage)
    assert stage.stop_controller() == 0, stage.log()


def follow(stage: Stage) -> tuple[Release, int]:
    """Do the deeds when their time comes, until the release ends or waits for good."""
    scenario, done, highest = stage.scenario, 0, 0
    last: Release | None = None
    deadline = time.monotonic() + scenario.ends.within
    while time.monotonic() < deadline:
        found = stage.release()
        if found is None and last is not None:
            return last, highest
        if found is None:
            continue
        last, highest = found, max(highest, found.status.weight.applied)
        if done < len(scenario.deeds) and holds(scenario.deeds[done].when, found):
            carry_out(scenario.deeds[done], stage)
            done += 1
            continue
        waits = found.status.phase is Phase.PAUSED and scenario.ends.phase == "Paused"
        if done == len(scenario.deeds) and (found.status.phase.ended or waits):
            return found, highest
        if found.status.phase.ended:
            break
        time.sleep(0.05)
    said = f"{last.status.phase}/{last.status.reason}: {last.status.message}" if last else "nothing"
    raise AssertionError(
        f"after {done} of {len(scenario.deeds)} deeds: {said}\n{told(last)}\n{stage.log()}"
    )


def told(release: Release | None) -> str:
    entries = release.status.timeline if release else []
    return "\n".join(f"{e.at:%H:%M:%S} {e.weight} {e.reason}: {e.message}" for e in entries)


def check_end(stage: Stage, release: Release, highest: int) -> None:
    ends, status = stage.scenario.ends, release.status
    if not stage.scenario.gone:
        assert str(status.phase) == ends.phase, f"{status.reason}\n{told(release)}\n{stage.log()}"
        assert ends.reason in {None, status.reason}, told(release)
        code = stage.cli("status", release.metadata.name, "--exit-code").returncode
        assert code == ends.exit, told(release)
    words = iter([entry.reason for entry in status.timeline])
    missing = [word for word in stage.scenario.tells if word not in words]
    assert not missing, f"the timeline lacks {missing}\n{told(release)}"
    assert highest <= stage.scenario.highest, told(release)


def check_requests(stage: Stage) -> None:
    if stage.load is None:
        return
    stage.load.stop()
    requests = stage.load.tally.snapshot()
    if not stage.scenario.scaled:
        lost = [f"{o.at:.3f}: {o.detail}" for o in requests.lost[:5]]
        assert requests.lost_count == 0, f"{requests.lost_count} of {requests.sent}: {lost}"
    assert requests.answered == requests.sent
    if stage.scenario.highest == 0:
        assert requests.count(stage.scenario.version).total == 0


def check_given_back(stage: Stage) -> None:
    """Everything that the user owned is as it was, and nothing of ours is left."""
    scenario = stage.scenario
    deadline = time.monotonic() + 10
    while stage.get(Kind.DEPLOYMENT, "web-candidate") and time.monotonic() < deadline:
        time.sleep(0.05)
    service, target = stage.get(Kind.SERVICE, "web"), stage.get(Kind.DEPLOYMENT, "web")
    assert service is not None
    assert target is not None
    assert POD_TEMPLATE_HASH not in service["spec"]["selector"]
    assert not {RESTORE, LATCH} & set(service["metadata"].get("annotations") or {})
    assert bool(target["spec"].get("paused")) == scenario.edited
    if not scenario.edited:
        assert not {RESTORE, LATCH} & set(target["metadata"].get("annotations") or {})
    image = target["spec"]["template"]["spec"]["containers"][0]["image"]
    expected = scenario.version if scenario.ends.phase == "Succeeded" else "v1"
    assert image.rpartition(":")[2] == (scenario.image or expected)
    ours = ("web-candidate",)
    for kind in (Kind.DEPLOYMENT, Kind.SERVICE, Kind.INGRESS):
        assert all(stage.get(kind, name) is None for name in ours), kind
