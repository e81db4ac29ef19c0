"""What is judged when, told from status alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rollout.analysis.evidence import Reference, Stage
from rollout.controller.stages import is_followed, look_at, stage_of
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.release import (
    PausedFrom,
    Phase,
    ReadyPods,
    Release,
    ReleaseSpec,
    ReleaseStatus,
    Resolved,
    Weight,
)
from rollout.resources.rollout import Strategy, Traffic
from tests import build

T0 = datetime(2026, 1, 1, 12, tzinfo=UTC)
WARMUP = timedelta(seconds=7)


def after(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def release(phase: Phase, strategy: Any = None, **status: Any) -> Release:
    resolved = Resolved(
        strategy=Strategy.model_validate(strategy or build.canary(5, 20)),
        policy=RolloutPolicySpec(warmup=WARMUP, interval=timedelta(seconds=2)),
        traffic=Traffic(services=["web"]),
        deployment="web",
        deployment_uid="u",
        container="web",
        template={},
        stable_template={},
        stable_hash="s",
        replicas=4,
    )
    given = {"since": T0, "resolved": resolved, **status}
    return Release(
        spec=ReleaseSpec(rollout="web", version="v2"), status=ReleaseStatus(phase=phase, **given)
    )


def paused_from(phase: Phase) -> PausedFrom:
    return PausedFrom(phase=phase, step=0, reason="x", held=timedelta(0))


def test_a_step_is_judged_from_its_weight_on_after_the_warm_up() -> None:
    found = stage_of(
        release(Phase.PROGRESSING, weight=Weight(asked=5, applied=5), marks={"weight": after(3)})
    )
    assert found == Stage(5, after(3) + WARMUP)


def test_nothing_is_judged_before_the_weight_was_read_back() -> None:
    assert stage_of(release(Phase.PROGRESSING, weight=Weight(asked=5, applied=0))) is None


def test_nothing_is_judged_while_the_candidate_has_lost_its_traffic() -> None:
    shaky = release(Phase.PROGRESSING, weight=Weight(), marks={"shaky": T0})
    assert stage_of(shaky) is None


def test_a_pause_does_not_end_judging() -> None:
    at = {"weight": Weight(asked=5, applied=5), "marks": {"weight": after(3)}}
    running = release(Phase.PROGRESSING, **at)
    paused = release(Phase.PAUSED, paused_from=paused_from(Phase.PROGRESSING), **at)
    assert stage_of(paused) == stage_of(running)


def test_data_is_waited_for_anew_after_a_resume() -> None:
    marks = {"weight": after(3), "resumed": after(100)}
    found = stage_of(release(Phase.PROGRESSING, weight=Weight(asked=5, applied=5), marks=marks))
    assert found == Stage(5, after(100))


def test_where_pods_make_the_share_another_number_of_them_is_another_stage() -> None:
    pods = Weight(asked=20, applied=20, pods=ReadyPods(candidate=1, stable=4))
    marks = {"weight": after(3), "pods": after(50)}
    found = release(Phase.PROGRESSING, weight=pods, marks=marks)
    assert stage_of(found) == Stage(20, after(50) + WARMUP)
    assert look_at(found, Stage(20, after(50))).expected == 20


def test_the_share_that_pods_make_is_told_exactly() -> None:
    pods = Weight(asked=2, applied=2, pods=ReadyPods(candidate=1, stable=60))
    found = look_at(release(Phase.PROGRESSING, weight=pods), Stage(2, T0))
    assert found.expected == pytest.approx(100 / 61)


def test_a_bake_in_place_is_judged_as_the_step_before_it() -> None:
    at = {"weight": Weight(asked=50, applied=50), "marks": {"weight": after(3), "bake": after(60)}}
    assert stage_of(release(Phase.BAKING, **at)) == stage_of(release(Phase.PROGRESSING, **at))


def test_blue_green_collects_its_reference_before_the_cutover() -> None:
    assert stage_of(release(Phase.PROGRESSING, build.blue_green())) == Stage(0, T0)


def test_a_candidate_that_waits_for_full_size_is_still_judged_at_its_weight() -> None:
    found = stage_of(release(Phase.PROMOTING, weight=Weight(asked=20, applied=20)))
    assert found == Stage(20, T0)


@pytest.mark.parametrize("phase", [Phase.PROMOTING, Phase.BAKING])
def test_after_the_cutover_it_is_compared_with_what_was_before(phase: Phase) -> None:
    found = stage_of(release(phase, weight=Weight(applied=100), marks={"cutover": after(9)}))
    assert found == Stage(100, after(9) + WARMUP, Reference.BEFORE)


@pytest.mark.parametrize(
    "phase", [Phase.PENDING, Phase.PREPARING, Phase.ADOPTING, Phase.ROLLING_BACK, Phase.SUCCEEDED]
)
def test_nothing_is_judged_outside_steps_and_bake(phase: Phase) -> None:
    found = release(phase, weight=Weight(applied=100), marks={"cutover": T0, "weight": T0})
    assert stage_of(found) is None


def test_metrics_are_read_from_preparing_until_the_bake_is_over() -> None:
    read = {phase for phase in Phase if is_followed(release(phase))}
    assert read == {
        Phase.PREPARING,
        Phase.PROGRESSING,
        Phase.PAUSED,
        Phase.PROMOTING,
        Phase.BAKING,
    }
    assert not is_followed(release(Phase.PREPARING, resolved=None))


def test_looks_are_planned_over_all_steps_and_the_bake() -> None:
    canary = release(Phase.PROGRESSING)  # two steps of 3 s, a bake of 5 s, a look each 2 s
    assert look_at(canary, Stage(5, T0)).planned == 2 + 2 + 3
    blue_green = release(Phase.BAKING, build.blue_green())
    assert look_at(blue_green, Stage(100, T0)).planned == 3
