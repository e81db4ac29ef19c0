"""Every scenario, on the practice API server and on the real control plane.

Real controller process, real HTTP traffic through a real Envoy, every answer counted. No request
may be lost, everything that the user owned must be back, and the timeline must tell the story.
"""

import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from rollout.engine.earlier import RESTARTED
from rollout.kube.client import HttpCluster
from rollout.resources.release import Phase, Release
from rollout.resources.writes import Kind
from rollout.sandbox.apiserver import ApiServer
from rollout.sandbox.load import Snapshot
from rollout.sandbox.load.tally import NO_VERSION
from tests.controlplane.access import Access
from tests.defined import define
from tests.install.installed import ACCOUNT, account_token, give_rights, install_rights
from tests.scenarios.deeds import carry_out, holds
from tests.scenarios.owned import TARGET, Owned, held, with_image
from tests.scenarios.scenario import Scenario, scenarios
from tests.scenarios.stage import Server, Stage

pytestmark = [pytest.mark.system, pytest.mark.timeout(150)]
ALL = scenarios()
CONTROL_SECONDS = 2.0
IN_FLIGHT = 0.5
"""Seconds that a request may have been on its way when the edge heard of it."""
"""Requests that are lost later than this after a scale-down are not lost by it."""
CHANCE = 10
"""How many more requests than twice the control's may be lost: the stopping pods get about 30 a
second, so this is a third of a second by which the edge may hear of them later."""
NEARLY = timedelta(seconds=10)
UNSENT = timedelta(seconds=3)
"""Events wait for nobody, and are sent by a thread of their own: these may die with it."""
HOLDS = {"NoData": "no_data", "Error": "provider_error"}
"""Field of the policy that bounds how long a release holds, by the reason of its pause."""


def on(server: str) -> list[Scenario]:
    return [scenario for scenario in ALL if server in scenario.servers]


@pytest.fixture
def emulator(tmp_path: Path, kubectl_program: Path) -> Iterator[Server]:
    with ApiServer() as api:
        cluster = HttpCluster.for_server(api.url, api.token)
        define(cluster)
        cluster.close()
        kubeconfig = api.write_kubeconfig(tmp_path / "kubeconfig")
        yield Server("emulator", api.url, api.token, None, kubeconfig, kubectl_program)


@pytest.fixture
def real(control_plane: Access, namespace: str) -> Iterator[Server]:
    """The controller comes as its own account, with the installed rights and in one namespace."""
    install_rights(control_plane)
    give_rights(control_plane, namespace)
    since = control_plane.audit_position()
    yield Server(
        *("real", control_plane.url, control_plane.token(), str(control_plane.ca_file)),
        control_plane.kubeconfig,
        control_plane.program,
        account_token(control_plane),
    )
    calls = [call for call in control_plane.audit(since) if call.user == ACCOUNT]
    here = [call for call in calls if call.namespace in {namespace, ""}]
    assert here
    assert [call for call in here if call.code == HTTPStatus.FORBIDDEN] == []


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
    if scenario.scaled:
        scale_down_alone(stage)
    stage.start_controller()
    said = ("--rollout", "web", "--reason", "scenario", *scenario.options)
    started = stage.cli("start", scenario.version, *said)
    if scenario.refused is not None:
        assert (started.returncode, stage.release()) == (1, None), started.stdout + started.stderr
        assert scenario.refused in started.stderr
        assert stage.users() == stage.before
        return
    assert started.returncode == 0, started.stdout + started.stderr
    release, highest = follow(stage)
    check_end(stage, release, highest)
    check_events(stage, release)
    check_requests(stage)
    check_shares(stage)
    if stage.gate is not None:
        written = {phase: tuple(stage.gate.names(phase)) for phase in scenario.writes}
        assert written == scenario.writes, f"written: {written}"
    if release.status.phase.ended or scenario.gone:
        check_given_back(stage)
    assert stage.stop_controller() == 0, stage.log()


def count_shares(stage: Stage, release: Release) -> None:
    """Note what callers have counted since the candidate has the share that it has."""
    weight = release.status.weight.applied
    if stage.load is None or weight not in stage.scenario.counted:
        return
    if "weight" in release.status.marks:
        now = stage.load.tally.snapshot()
        stage.counted[weight] = (stage.counted.get(weight, (now, now))[0], now)


def check_shares(stage: Stage) -> None:
    """What callers counted while the candidate had a share is that share."""
    for weight, points in stage.scenario.counted.items():
        first, last = stage.counted[weight]
        seen = last.since(first)
        share = 100 * seen.share(stage.scenario.version)
        assert seen.answered > 100, f"only {seen.answered} answers at {weight} %"
        assert abs(share - weight) <= points, f"{share:.1f} % of {seen.answered} at {weight} %"


def follow(stage: Stage) -> tuple[Release, int]:
    """Do the deeds when their time comes, until the release ends or waits for good."""
    scenario, done, highest = stage.scenario, 0, 0
    last: Release | None = None
    deadline = time.monotonic() + scenario.ends.within
    while time.monotonic() < deadline:
        stage.glance()
        there, ever = stage.releases.now(), stage.releases.last()
        if not there and ever:
            return ever[-1], highest
        if not there:
            continue
        found = there[-1]
        last, highest = found, max(highest, found.status.weight.applied)
        count_shares(stage, found)
        if done < len(scenario.deeds) and holds(scenario.deeds[done].when, found, stage):
            carry_out(scenario.deeds[done], stage)
            stage.catch_up()
            done += 1
            continue
        waits = found.status.phase is Phase.PAUSED and scenario.ends.phase == "Paused"
        if done == len(scenario.deeds) and (found.status.phase.ended or waits):
            return found, highest
        if found.status.phase.ended:
            break
    said = f"{last.status.phase}/{last.status.reason}: {last.status.message}" if last else "nothing"
    raise AssertionError(
        f"after {done} of {len(scenario.deeds)} deeds: {said}\n{told(last)}\n{stage.log()}"
    )


def told(release: Release | None) -> str:
    entries = release.status.timeline if release else []
    return "\n".join(f"{e.at:%H:%M:%S} {e.weight} {e.reason}: {e.message}" for e in entries)


def check_end(stage: Stage, release: Release, highest: int) -> None:
    ends, status = stage.scenario.ends, release.status
    phase, reason = status.phase, status.reason
    if stage.scenario.gone:
        assert stage.release() is None
        assert status.ending is not None, told(release)
        phase, reason = status.ending.phase, status.ending.reason
    assert str(phase) == ends.phase, f"{reason}\n{told(release)}\n{stage.log()}"
    assert ends.reason in {None, reason}, told(release)
    code = stage.cli("status", release.metadata.name, "--exit-code").returncode
    assert code == ends.exit, told(release)
    check_held(stage, release)
    assert image_of(status.displaced_edit) == stage.scenario.displaced, told(release)
    verdict = status.verdict
    said = f"{status.message} {verdict.reason if verdict else ''}"
    assert all(text in said for text in stage.scenario.says), said
    words = iter([entry.reason for entry in status.timeline])
    missing = [word for word in stage.scenario.tells if word not in words]
    assert not missing, f"the timeline lacks {missing}\n{told(release)}"
    assert highest <= stage.scenario.highest, told(release)


def image_of(template: Mapping[str, Any] | None) -> str | None:
    """Tag of what a pod template runs."""
    if template is None:
        return None
    return str(template["spec"]["containers"][0]["image"]).rpartition(":")[2]


def check_held(stage: Stage, release: Release) -> None:
    """Without data a release holds for the policy's bound, and only then waits for a person."""
    ends, status = stage.scenario.ends, release.status
    if ends.reason not in HOLDS:
        return
    assert status.resolved is not None
    assert status.started_at is not None
    hold = getattr(status.resolved.policy, HOLDS[ends.reason]).hold
    paused = next(entry.at for entry in status.timeline if entry.reason == ends.reason)
    missing = missing_since(release)
    assert missing >= status.started_at
    assert paused - missing >= hold, f"{paused - missing} are less than {hold}\n{told(release)}"


def missing_since(release: Release) -> datetime:
    """When data went missing: the first reading that failed, or the weight that nobody saw."""
    trouble = (release.status.evidence or {}).get("trouble")
    if trouble is not None:
        return datetime.fromisoformat(trouble["since"])
    return release.status.marks["weight"]


def scale_down_alone(stage: Stage) -> None:
    """The control: a scale-down of as many pods, by the user and without us."""
    stage.patch(Kind.DEPLOYMENT, "web", {"spec": {"replicas": 6}})
    stage.await_served(6)
    time.sleep(1.0)
    stage.scale_down(4)
    stage.await_served(4)
    time.sleep(1.0)


def check_events(stage: Stage, release: Release) -> None:
    """Events tell the same story, for those who look with kubectl."""
    lost = {entry.reason for entry in release.status.timeline if dies_untold(stage, entry.at)}
    wanted = set(stage.scenario.tells) - lost
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = stage.cluster.list(Kind.EVENT, stage.namespace).items
        ours = [event for event in found if event["regarding"]["uid"] == release.metadata.uid]
        told = {event["reason"] for event in ours}
        if wanted <= told:
            return
        time.sleep(0.1)
    raise AssertionError(f"no events {wanted - told} among {told}")


def dies_untold(stage: Stage, at: datetime) -> bool:
    """Whether a controller was killed before it could send an event; the timeline has it."""
    return any(timedelta(0) <= killed - at < UNSENT for killed in stage.killed_at)


def check_requests(stage: Stage) -> None:
    """No request was lost, but for pods that the user's own scale-down stopped."""
    if stage.inside is not None:
        stage.inside.stop()
        assert stage.inside.lost == []
        assert stage.inside.sent > 5 * stage.scenario.inside
    check_others(stage)
    if stage.load is None:
        return
    stage.load.stop()
    requests = stage.load.tally.snapshot()
    lost = [outcome for outcome in requests.lost if not by_scale_down(stage, outcome.at)]
    said = [f"{outcome.at:.3f}: {outcome.detail}" for outcome in lost[:5]]
    assert not lost, f"{len(lost)} of {requests.sent} lost: {said}"
    assert requests.lost_count < 1000, "more than the tally remembers"
    assert requests.answered == requests.sent
    if stage.scenario.highest == 0:
        assert requests.count(stage.scenario.version).total == 0
    check_versions(stage, requests)
    check_scale_down(stage, requests)


def check_others(stage: Stage) -> None:
    """Who comes by another host gets the same versions, and every answer."""
    for load in stage.other_loads:
        load.stop()
        requests = load.tally.snapshot()
        assert not requests.lost, [f"{one.at:.3f}: {one.detail}" for one in requests.lost[:5]]
        assert requests.answered == requests.sent
        assert set(requests.by_version) == {"v1", stage.scenario.version}


def check_versions(stage: Stage, requests: Snapshot) -> None:
    """Nobody but the stable version and the released one ever answered (I8)."""
    unanswered = {NO_VERSION} if stage.scaled_down else set()
    assert set(requests.by_version) - unanswered <= {"v1", stage.scenario.version}


def check_scale_down(stage: Stage, requests: Snapshot) -> None:
    """A user's scale-down in mid-release loses no more than the same one did without us."""
    if not stage.scaled_down:
        return
    control, *during = [
        sum(0 <= outcome.at - asked < CONTROL_SECONDS for outcome in requests.lost)
        for asked, _ in stage.scaled_down
    ]
    assert len(during) == 1
    assert during[0] <= 2 * control + CHANCE, f"{during[0]} lost, and {control} without us"


def by_scale_down(stage: Stage, at: float) -> bool:
    """Whether a request fell into the time in which the edge has not heard of a scale-down yet."""
    return any(asked <= at <= heard + IN_FLIGHT for asked, heard in stage.scaled_down)


def check_given_back(stage: Stage) -> None:
    """Everything that the user owned is as it was, and nothing of ours is left."""
    deadline = time.monotonic() + 10
    while stage.get(Kind.DEPLOYMENT, "web-candidate") and time.monotonic() < deadline:
        time.sleep(0.05)
    found, scenario = stage.users(), stage.scenario
    if scenario.restarted:
        take_out_restart(found, stage)
    shipped = scenario.version if scenario.ends.phase == "Succeeded" else "v1"
    wanted = with_image(stage.before, scenario.image or shipped, paused=scenario.edited)
    assert found == wanted
    assert held(stage.cluster, stage.namespace) == []


def take_out_restart(found: Owned, stage: Stage) -> None:
    """A restart is told by when it was asked for, in the pod template and nowhere else."""
    release = stage.release()
    assert release is not None
    assert release.metadata.creation_timestamp is not None
    notes = found[TARGET]["spec"]["template"]["metadata"]["annotations"]
    asked = datetime.fromisoformat(notes.pop(RESTARTED))
    assert abs(release.metadata.creation_timestamp - asked) < NEARLY
