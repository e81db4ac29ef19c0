"""Two controllers on one Lease, on the real control plane, with its audit log as the judge."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout.resources.release import Phase, Release
from tests.controlplane.access import Access
from tests.faults.contenders import Duel, judge
from tests.scenarios.scenario import Ends, Scenario
from tests.scenarios.stage import Server, Stage
from tests.scenarios.test_scenarios import check_given_back, check_requests, real

__all__ = ["real"]  # a fixture

pytestmark = [pytest.mark.system, pytest.mark.controlplane, pytest.mark.timeout(180)]

HANDED_OVER = 0.7
"""Seconds from the end of one process to the leadership of the other."""

SCENARIO = Scenario(
    claim="a change of leader", ends=Ends(phase="Succeeded", exit=0), tells=("Succeeded",)
)


@pytest.fixture
def stage(real: Server, namespace: str, tmp_path: Path) -> Iterator[Stage]:
    with Stage(real, namespace, SCENARIO, tmp_path) as stage:
        yield stage


@pytest.fixture
def duel(control_plane: Access, stage: Stage, tmp_path: Path) -> Iterator[Duel]:
    with Duel(control_plane, stage, tmp_path) as duel:
        yield duel


def at(duel: Duel, weight: int) -> bool:
    release = duel.stage.release()
    return release is not None and release.status.weight.applied == weight


def ends_well(duel: Duel) -> None:
    """The release goes on to its right end, no request is lost, and nothing of ours is left."""
    release: list[Release | None] = [None]

    def ended() -> bool:
        release[0] = duel.stage.release()
        return release[0] is not None and release[0].status.phase.ended

    duel.wait(ended, "the end of the release", 90.0)
    assert release[0] is not None
    status = release[0].status
    assert status.phase is Phase.SUCCEEDED, f"{status.reason}: {status.message}\n{duel.logs()}"
    check_requests(duel.stage)
    check_given_back(duel.stage)
    assert judge(duel.calls()).done == []


def test_a_killed_leader_is_followed_within_its_lease_and_a_second(duel: Duel) -> None:
    duel.begin()
    duel.wait(lambda: at(duel, 20), "the first step")
    holder = duel.holder()
    duel.first.send(signal.SIGKILL)
    assert duel.taken_from(holder) < duel.lease_seconds + 1
    ends_well(duel)


def test_a_clean_stop_hands_over_at_once(
    control_plane: Access, stage: Stage, tmp_path: Path
) -> None:
    """With the lease of production, of which two seconds lie between two tries."""
    with Duel(control_plane, stage, tmp_path, lease_seconds=15.0) as duel:
        duel.begin()
        duel.wait(lambda: at(duel, 20), "the first step")
        holder = duel.holder()
        duel.first.send(signal.SIGTERM)
        assert duel.first.exit_code(20) == 0
        assert duel.taken_from(holder) < HANDED_OVER
        ends_well(duel)


HELD = {
    "the cutover of a Service": ("Promoting", "patch services/web"),
    "the target's new template": ("Adopting", "patch deployments/web"),
    "the removal of the candidate": ("Adopting", "delete deployments/web-candidate"),
}
REFUSALS = {404, 409}
"""What was deleted by the second leader already is no conflict."""


@pytest.mark.parametrize("held", HELD)
def test_a_leader_that_wakes_in_mid_write_writes_nothing_more(duel: Duel, held: str) -> None:
    phase, write = HELD[held]
    duel.gate.close_before(phase, write)
    duel.begin()
    duel.wait(lambda: write in duel.gate.held, f"{write} is under way")
    holder = duel.holder()
    duel.first.send(signal.SIGSTOP)
    assert duel.taken_from(holder) < duel.lease_seconds + 1
    duel.wait(duel.stamped, "the stamps")
    duel.first.send(signal.SIGCONT)
    duel.gate.open()
    assert duel.first.exit_code(20) == 1
    ends_well(duel)
    refused = judge(duel.calls()).refused
    assert {call.code for call in refused} <= REFUSALS
    verb, _, thing = write.partition(" ")
    assert (verb, thing) in {(call.verb, f"{call.resource}/{call.name}") for call in refused}
