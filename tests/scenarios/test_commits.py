"""Every scenario of commits, on the practice API server and on the real control plane.

As in test_scenarios.py: real controller, real HTTP traffic, every answer counted, none lost.
"""

import time
from pathlib import Path

import pytest

from rollout.resources.writes import Kind
from tests.controlplane.access import Access
from tests.scenarios.commits import (
    Commits,
    carry_out,
    commit,
    commits,
    holds,
    ready,
    releases,
    tag_of,
)
from tests.scenarios.owned import held, with_image
from tests.scenarios.stage import Server, Stage
from tests.scenarios.test_scenarios import emulator, real, told

__all__ = ["emulator", "real"]
pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]
ALL = commits()
QUIET_SECONDS = 6.0
"""Longer than the controller waits before it looks at an idle Rollout again."""


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.claim)
def test_on_the_practice_api_server(case: Commits, emulator: Server, tmp_path: Path) -> None:
    with Stage(emulator, "default", case.scene, tmp_path) as stage:
        play(case, stage)


@pytest.mark.controlplane
@pytest.mark.parametrize("case", ALL, ids=lambda case: case.claim)
def test_on_the_real_control_plane(
    case: Commits, real: Server, namespace: str, tmp_path: Path
) -> None:
    with Stage(real, namespace, case.scene, tmp_path) as stage:
        play(case, stage)
        assert {found.spec.by for found in releases(stage)} <= {"deploy"}


def play(case: Commits, stage: Stage) -> None:
    stage.start_controller()
    follow(case, stage)
    time.sleep(QUIET_SECONDS)
    assert outcome(stage) == case.releases, said(stage)
    assert ready(stage) == case.says, said(stage)
    check_target(case, stage)
    check_requests(case, stage)
    assert stage.stop_controller() == 0, stage.log()


def check_requests(case: Commits, stage: Stage) -> None:
    """No request was lost, and only versions that were released have answered (I8)."""
    assert stage.load is not None
    stage.load.stop()
    requests = stage.load.tally.snapshot()
    assert not requests.lost, [f"{one.at:.3f}: {one.detail}" for one in requests.lost[:5]]
    assert requests.answered == requests.sent
    released = {told_.partition(" ")[0] for told_ in case.releases}
    assert set(requests.by_version) <= {"v1", *released}


def outcome(stage: Stage) -> tuple[str, ...]:
    found = releases(stage)
    return tuple(f"{tag_of(r)} {r.status.phase} {r.status.reason}" for r in found)


def follow(case: Commits, stage: Stage) -> None:
    """Do each step when its time comes, and wait for the end."""
    done, deadline = 0, time.monotonic() + case.within
    while time.monotonic() < deadline:
        if done < len(case.steps) and holds(case.steps[done].when, stage):
            carry_out(case.steps[done], stage)
            stage.catch_up()
            done += 1
        elif done == len(case.steps) and over(case, stage):
            return
        else:
            stage.glance()
    raise AssertionError(f"after {done} of {len(case.steps)} steps: {said(stage)}")


def over(case: Commits, stage: Stage) -> bool:
    return outcome(stage) == case.releases and ready(stage) == case.says


def said(stage: Stage) -> str:
    found = releases(stage)
    stories = "\n".join(f"{r.metadata.name}:\n{told(r)}" for r in found)
    return f"{outcome(stage)}, {ready(stage)}\n{stories}\n{stage.log()}"


def check_target(case: Commits, stage: Stage) -> None:
    """Everything is as its owner has it, and nothing of ours is left but the target's pause.

    While it lasts, its Rollout is kept from going: that would leave the target paused for ever.
    """
    assert stage.users() == with_image(stage.before, case.template, paused=case.paused)
    keeps = case.paused and case.says is not None
    assert held(stage.cluster, stage.namespace) == (["Rollout/web"] if keeps else [])
    sets = stage.cluster.list(Kind.REPLICA_SET, stage.namespace).items
    assert [image(one).rpartition(":")[2] for one in sets if one["spec"]["replicas"]] == [
        case.serves
    ]


def image(obj: object) -> str:
    assert isinstance(obj, dict)
    return str(obj["spec"]["template"]["spec"]["containers"][0]["image"])


@pytest.mark.controlplane
def test_kubectl_tells_how_a_commit_stands(
    control_plane: Access, real: Server, namespace: str, tmp_path: Path
) -> None:
    """`kubectl rollout status`, which pipelines wait for, is done when the release is."""
    case = ALL[0]
    with Stage(real, namespace, case.scene, tmp_path) as stage:
        stage.start_controller()
        await_(lambda: ready(stage) == "WaitsForTemplate")
        commit(stage, "v2")
        await_(lambda: bool(releases(stage)))
        status = ("rollout", "status", "deployment/web")
        waited = control_plane.kubectl(*status, "--timeout=60s", namespace=namespace)
        assert "successfully rolled out" in waited.stdout
        assert str(releases(stage)[0].status.phase) in {"Adopting", "Succeeded"}
        await_(lambda: outcome(stage) == ("v2 Succeeded Succeeded",))
        commit(stage, "v3-errors10")
        await_(lambda: ready(stage) == "TemplateRejected")
        waited = control_plane.kubectl(*status, "--timeout=2s", namespace=namespace, check=False)
        assert "0 out of 4 new replicas have been updated" in waited.stdout


def await_(holds: object, seconds: float = 60.0) -> None:
    assert callable(holds)
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never held"
        time.sleep(0.05)
