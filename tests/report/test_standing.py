"""What a Rollout says of itself while nothing of it runs."""

from typing import Any

from rollout.report.standing import invalid, readable, standing, state
from rollout.resources.rollout import Rollout
from tests import build

WAITS = "waits for a change of the template of Deployment web"


def told(name: str = "web", **status: Any) -> dict[str, Any]:
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "WaitsForTemplate",
        "message": WAITS,
        "lastTransitionTime": "2026-01-01T12:00:00Z",
    }
    return {**build.rollout(name), "status": {"conditions": [ready], **status}}


def test_an_idle_rollout_says_what_it_waits_for() -> None:
    assert standing([told(), told("other")], "web") == [f"Rollout web: {WAITS}."]
    assert state(Rollout.model_validate(told())) == "WaitsForTemplate"


def test_the_only_rollout_need_not_be_named() -> None:
    assert standing([told()], None) == [f"Rollout web: {WAITS}."]
    assert standing([told(), told("other")], None) == []


def test_while_a_release_runs_that_has_the_word() -> None:
    assert standing([told(activeRelease="web-v2")], "web") == []


def test_before_a_controller_has_looked_nothing_is_said() -> None:
    fresh = build.rollout()
    assert standing([fresh], "web") == []
    assert state(Rollout.model_validate(fresh)) == "-"


BOTH = build.rollout("two", strategy={"canary": {}, "blueGreen": {}})
WRONG = "two: invalid: spec.strategy: set exactly one of canary and blueGreen"


def test_an_invalid_rollout_hides_no_other() -> None:
    assert [one.metadata.name for one in readable([BOTH, told()])] == ["web"]
    assert standing([BOTH, told()], "web") == [f"Rollout web: {WAITS}."]


def test_an_invalid_rollout_is_named_with_what_is_wrong() -> None:
    assert list(invalid([BOTH, told()])) == [WRONG]
    assert standing([BOTH], None) == [f"Rollout {WRONG}."]
    there = {**BOTH, "metadata": {**BOTH["metadata"], "namespace": "shop"}}
    assert list(invalid([there], namespaces=True)) == [f"shop/{WRONG}"]
