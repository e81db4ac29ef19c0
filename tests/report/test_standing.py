"""What a Rollout says of itself while nothing of it runs."""

from typing import Any

from rollout.report.standing import standing, state
from rollout.resources.rollout import Rollout
from tests import build

WAITS = "waits for a change of the template of Deployment web"


def told(name: str = "web", **status: Any) -> Rollout:
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "WaitsForTemplate",
        "message": WAITS,
        "lastTransitionTime": "2026-01-01T12:00:00Z",
    }
    return Rollout.model_validate(
        {**build.rollout(name), "status": {"conditions": [ready], **status}}
    )


def test_an_idle_rollout_says_what_it_waits_for() -> None:
    assert standing([told(), told("other")], "web") == [f"Rollout web: {WAITS}."]
    assert state(told()) == "WaitsForTemplate"


def test_the_only_rollout_need_not_be_named() -> None:
    assert standing([told()], None) == [f"Rollout web: {WAITS}."]
    assert standing([told(), told("other")], None) == []


def test_while_a_release_runs_that_has_the_word() -> None:
    assert standing([told(activeRelease="web-v2")], "web") == []


def test_before_a_controller_has_looked_nothing_is_said() -> None:
    fresh = Rollout.model_validate(build.rollout())
    assert (standing([fresh], "web"), state(fresh)) == ([], "-")
