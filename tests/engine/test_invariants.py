"""The net below the planner: what breaks a rule is named, and nothing of such a plan is done."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from rollout.engine.draft import Draft
from rollout.engine.invariants import violations
from rollout.engine.plan import (
    Action,
    DeleteCandidate,
    DeleteRoute,
    PauseTarget,
    SaveRestore,
    ScaleCandidate,
    Select,
    SetWeight,
    Widen,
    WriteTemplate,
)
from rollout.engine.planner import guarded, plan
from rollout.engine.snapshot import DeploymentView, Snapshot
from rollout.resources.conditions import ConditionStatus
from rollout.resources.release import Ending, Phase, Release, ReleaseStatus
from rollout.resources.writes import Kind
from rollout.simulate.world import START, World
from rollout.translation.snapshots import snapshot
from tests.build import shop
from tests.engine.modes import UNROUTED
from tests.engine.play import Play
from tests.engine.stories import Story

NAME = "web-v2"
WEB = "web"
PREPARING, PROGRESSING, BAKING = Phase.PREPARING, Phase.PROGRESSING, Phase.BAKING


@cache
def seen(phase: Phase, weight: int = 0, *, routed: bool = True, resolved: bool = True) -> Snapshot:
    """What a pass sees of a release in a phase, once the candidate has its share."""
    world = World((shop if routed else UNROUTED)())

    def until(found: Release | None) -> bool:
        assert found is not None
        status = found.status
        there = (status.phase, status.weight.applied) == (phase, weight)
        return there and (status.resolved is not None) == resolved

    world.run(NAME, until=until)
    objects = world.objects(NAME)
    assert objects is not None
    return snapshot(objects)


def at_step() -> Snapshot:
    return seen(PROGRESSING, 20)


def shared() -> Snapshot:
    return seen(PROGRESSING, 20, routed=False)


def in_bake() -> Snapshot:
    return seen(BAKING, 100)


def broken(found: Snapshot, *actions: Action, status: ReleaseStatus | None = None) -> list[str]:
    return list(violations(found, actions, status or found.release.status))


def candidate_hash(found: Snapshot) -> str:
    return found.release.status.hashes.candidate or ""


def with_ready(found: Snapshot, ready: int) -> Snapshot:
    """The same with another number of ready candidate pods."""
    candidate = there(found.candidate)
    sets = tuple(replace(pods, ready=ready, alive=ready) for pods in candidate.pod_sets)
    return replace(found, candidate=replace(candidate, pod_sets=sets))


def there(view: DeploymentView | None) -> DeploymentView:
    assert view is not None
    return view


def silent(found: Snapshot) -> Snapshot:
    """The same with the canary routes at weight 0."""
    return replace(found, routes=tuple(replace(route, weight=0) for route in found.routes))


@pytest.mark.parametrize("action", [Select(WEB, "abc"), PauseTarget()])
def test_nothing_is_changed_before_it_was_written_down(action: Action) -> None:
    begun = seen(PREPARING, resolved=False)
    said = broken(begun, action)
    assert f"I5: {action} would change what has not been written down" in said
    saved = SaveRestore(begun.release.status)
    assert not [one for one in broken(begun, saved, action) if one.startswith("I5")]
    assert broken(at_step(), PauseTarget()) == []


def test_a_service_moves_to_no_hash_without_ready_pods() -> None:
    said = "I1: Service web would select abc, which has no ready pods"
    assert broken(at_step(), Select(WEB, "abc")) == [said]
    assert broken(shared(), Select(WEB, "abc")) == [said]
    assert broken(at_step(), Select(WEB, candidate_hash(at_step()))) == []
    assert broken(with_ready(at_step(), 0), Select(WEB, candidate_hash(at_step()))) != []


def test_a_service_may_stay_where_it_is_whatever_has_become_of_the_pods() -> None:
    gone = with_ready(in_bake(), 0)
    assert broken(gone, Select(WEB, candidate_hash(gone), latch=True)) == []


def test_a_candidate_without_ready_pods_gets_no_weight() -> None:
    said = "I1: weight 20 for a candidate with no ready pods"
    assert broken(with_ready(at_step(), 0), SetWeight(WEB, 20)) == [said]
    assert broken(at_step(), SetWeight(WEB, 20)) == []
    assert broken(with_ready(at_step(), 0), SetWeight(WEB, 0)) == []


def test_a_weight_is_at_most_the_step_s() -> None:
    said = "I2: weight 21 where 20 is allowed (Progressing)"
    assert broken(at_step(), SetWeight(WEB, 21)) == [said]


def test_no_weight_is_set_where_no_step_is_held() -> None:
    found = at_step()
    back = found.release.status.model_copy(update={"phase": Phase.ROLLING_BACK})
    said = "I2: weight 20 where 0 is allowed (RollingBack)"
    assert broken(found, SetWeight(WEB, 20), status=back) == [said]


def test_the_services_are_widened_for_no_more_than_the_step_s_share() -> None:
    found, many = shared(), with_ready(shared(), 2)
    wide = Widen(WEB, candidate_hash(found), 20)
    assert broken(found, wide) == []
    assert broken(found, replace(wide, weight=50)) == [
        "I2: weight 50 where 20 is allowed (Progressing)"
    ]
    assert broken(many, wide) == ["I2: Service web would give 2 candidate pods over 20 %"]
    assert "I1: weight 20 for a candidate with no ready pods" in broken(with_ready(found, 0), wide)


def test_a_candidate_whose_pods_are_its_share_grows_no_further_than_the_step() -> None:
    said = "I2: 2 candidate pods would make more than 20 %"
    assert broken(shared(), ScaleCandidate(2)) == [said]
    assert broken(shared(), ScaleCandidate(1)) == []
    assert broken(at_step(), ScaleCandidate(2)) == []


def test_the_target_s_template_is_written_in_adopting_and_on_the_way_back_alone() -> None:
    found = at_step()
    said = "I3: the target's template would change while Progressing"
    assert broken(found, WriteTemplate({})) == [said]
    for phase in (Phase.ADOPTING, Phase.ROLLING_BACK):
        status = found.release.status.model_copy(update={"phase": phase})
        assert broken(found, WriteTemplate({}), status=status) == []


def test_a_route_goes_when_it_has_no_weight() -> None:
    assert broken(at_step(), DeleteRoute(WEB)) == [
        "I4: the route of web would go while it has weight"
    ]
    assert broken(silent(at_step()), DeleteRoute(WEB)) == []


@pytest.mark.parametrize("found", [at_step, shared, in_bake])
def test_a_candidate_with_traffic_neither_shrinks_nor_goes(found: Callable[[], Snapshot]) -> None:
    said = "I4: the candidate would shrink to 0 while it has traffic"
    assert broken(found(), ScaleCandidate(0)) == [said]
    assert broken(found(), DeleteCandidate()) == ["I4: the candidate would go while it has traffic"]
    assert broken(found(), ScaleCandidate(there(found().candidate).replicas)) == []


def test_a_candidate_without_traffic_shrinks_and_goes() -> None:
    assert broken(silent(at_step()), ScaleCandidate(0), DeleteCandidate()) == []


def test_a_contested_selector_is_the_one_reason_to_stop_pods_before_their_traffic() -> None:
    """The one exception to I4: the Services select them against our will."""
    found = at_step()
    ending = Ending(phase=Phase.FAILED, reason="SelectorContested", message="")
    status = found.release.status.model_copy(update={"ending": ending})
    assert broken(found, ScaleCandidate(0), status=status) == []


def unsafe_draft(found: Snapshot) -> Draft:
    draft = Draft(found, START)
    draft.tell("Reached", "a plan goes on, and breaks a rule")
    draft.do(ScaleCandidate(4), SetWeight(WEB, 90))
    return draft


def test_nothing_is_done_of_a_plan_that_breaks_a_rule() -> None:
    found = at_step()
    held = guarded(found, unsafe_draft(found), START)
    said = "I2: weight 90 where 20 is allowed (Progressing)"
    assert held.actions == ()
    assert [(e.reason, e.message, e.warning) for e in held.events] == [
        ("RuleWouldBreak", said, True)
    ]
    (told,) = [c for c in held.status.conditions if c.type == "Safe"]
    assert (told.status, told.reason, told.message) == (
        ConditionStatus.FALSE,
        "RuleWouldBreak",
        said,
    )


def test_status_stays_as_it_was_but_for_the_word_of_the_rule() -> None:
    found = at_step()
    held, before = guarded(found, unsafe_draft(found), START).status, found.release.status
    assert held.message == "I2: weight 90 where 20 is allowed (Progressing)"
    known = {"conditions": before.conditions, "message": before.message}
    assert held.model_copy(update=known) == before


def test_the_condition_goes_with_the_first_plan_that_keeps_the_rules() -> None:
    found = at_step()
    held = guarded(found, unsafe_draft(found), START).status
    release = found.release.model_copy(update={"status": held})
    after = plan(replace(found, release=release), START)
    assert "Safe" not in [c.type for c in after.status.conditions]
    assert [e for e in after.events if e.reason == "RuleWouldBreak"] == []


def test_a_story_in_which_a_plan_was_held_does_not_pass() -> None:
    play = Play(Story("held", Phase.SUCCEEDED, "Succeeded"))
    found = at_step()
    status = guarded(found, unsafe_draft(found), START).status.to_json()
    play.world.patch(Kind.RELEASE, NAME, {"status": status}, "status")
    with pytest.raises(AssertionError, match=r"a plan would have broken a rule.*weight 90"):
        play.watch(PauseTarget())
