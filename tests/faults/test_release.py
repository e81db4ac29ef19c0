"""A release under way when the API server goes away: traffic stays, and the release goes on."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout.controller.caches import NEEDED, OPTIONAL
from rollout.kube.reflector import BackOff
from tests.faults.follower import rounds_within
from tests.faults.spoiler import Spoiler
from tests.scenarios.scenario import Ends, Scenario
from tests.scenarios.stage import Server, Stage
from tests.scenarios.test_scenarios import check_given_back, check_requests, follow, real

__all__ = ["real"]  # a fixture

pytestmark = [pytest.mark.system, pytest.mark.controlplane, pytest.mark.timeout(180)]

PATIENCE = {"minDuration": "3s", "maxDuration": "120s"}
"""Nobody counts while nobody leads, and the time of a step goes on."""

SCENARIO = Scenario(
    claim="the API server is away",
    spec={"steps": [{"weight": 20, **PATIENCE}, {"weight": 50, **PATIENCE}]},
    policy={"noData": {"hold": "120s", "then": "Pause"}},
    ends=Ends(phase="Succeeded", exit=0, within=90.0),
)
SHORT = 5.0
"""Seconds that a leader outlasts: with a lease of 15 s it leads for 10 s after a renewal."""

LEADS = 10.0

OTHERS = 15
"""Requests in the short time that are not of reflectors: the lease every 2 s, passes, events."""


@pytest.fixture
def proxy(real: Server) -> Iterator[Spoiler]:
    with Spoiler(real.url, real.token, str(real.ca_file)) as proxy:
        yield proxy


@pytest.fixture
def stage(real: Server, namespace: str, tmp_path: Path, proxy: Spoiler) -> Iterator[Stage]:
    with Stage(real, namespace, SCENARIO, tmp_path) as stage:
        stage.gate = proxy
        stage.start_controller()
        time.sleep(1.0)
        assert stage.cli("start", "v2", "--rollout", "web").returncode == 0
        await_weight(stage, 20)
        yield stage


def await_weight(stage: Stage, weight: int) -> None:
    deadline = time.monotonic() + 60
    while (release := stage.release()) is None or release.status.weight.applied != weight:
        assert time.monotonic() < deadline, stage.log()
        time.sleep(0.02)


def ends_well(stage: Stage) -> None:
    release, _ = follow(stage)
    assert str(release.status.phase) == "Succeeded"
    check_requests(stage)
    check_given_back(stage)
    assert stage.stop_controller() == 0, stage.log()


def test_a_short_outage_costs_a_release_nothing_but_the_time(stage: Stage, proxy: Spoiler) -> None:
    before = len(proxy.asked)
    proxy.go_away()
    time.sleep(SHORT)
    asked = len(proxy.asked) - before
    proxy.away = False
    kinds = len(NEEDED) + len(OPTIONAL)
    assert asked <= kinds * rounds_within(SHORT, BackOff()) + OTHERS
    ends_well(stage)


def test_an_outage_that_costs_the_lease_ends_the_process_and_the_next_one_goes_on(
    stage: Stage, proxy: Spoiler
) -> None:
    proxy.go_away()
    assert stage.controller is not None
    assert stage.controller.wait(LEADS + 10) == 1
    proxy.away = False
    stage.start_controller()
    ends_well(stage)
