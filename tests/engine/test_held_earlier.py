"""An upgrade starts no release, also where each change of a template is one.

The states are those of an earlier program, recorded by record_held.py: had the fingerprint of a
template changed since, or what counts as the same template, every one of them would be released.
"""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from rollout.engine.facts import fingerprint
from rollout.engine.plan import CreateRelease, WriteRollout
from rollout.translation.objects import Objects
from rollout.translation.tending import tended

RECORDED: Final = Path(__file__).parent / "recorded"
STORIES: Final[dict[str, Any]] = {
    f"{file.stem}: {name}": story
    for file in sorted(RECORDED.glob("held-*.json"))
    for name, story in json.loads(file.read_text()).items()
}
EACH: Final = pytest.mark.parametrize("name", STORIES)
TAKEN_BACK: Final = [name for name in STORIES if name.endswith("taken back")]


def objects(name: str) -> Objects:
    """What a pass looks at."""
    found = STORIES[name]["objects"]
    (rollout,) = found["Rollout"]
    return Objects(
        release=rollout,
        rollout=rollout,
        rollouts=(rollout,),
        releases=tuple(found["Release"]),
        deployments=tuple(found["Deployment"]),
        replica_sets=tuple(found["ReplicaSet"]),
        pods=tuple(found["Pod"]),
        services=tuple(found["Service"]),
        ingresses=tuple(found["Ingress"]),
        ingress_classes=tuple(found["IngressClass"]),
    )


@EACH
@pytest.mark.parametrize("later", [timedelta(), timedelta(days=30)], ids=["at once", "later"])
def test_what_was_held_is_left_alone_and_for_the_same_reason(name: str, later: timedelta) -> None:
    found, story = objects(name), STORIES[name]
    _, tending = tended(found, found.releases, datetime.fromisoformat(story["at"]) + later)
    assert tending.actions == ()
    wanted = "TemplateRejected" if name in TAKEN_BACK else "WaitsForTemplate"
    assert tending.reason == story["said"] == wanted


@pytest.mark.parametrize("name", TAKEN_BACK)
def test_a_template_that_was_taken_back_has_the_fingerprint_that_was_written_down(
    name: str,
) -> None:
    found = objects(name)
    target = next(one for one in found.deployments if one["metadata"]["name"] == "web")
    written = (found.rollout or {})["status"]["rejected"]["templateHash"]
    assert fingerprint(target["spec"]["template"]) == written


@EACH
def test_another_template_is_not_left_alone(name: str) -> None:
    """What is recorded is such that a difference shows."""
    found, story = objects(name), STORIES[name]
    text = json.dumps(story["objects"]["Deployment"])
    changed = json.loads(text.replace(":v1", ":v3").replace(":v2", ":v3"))
    found = replace(found, deployments=tuple(changed))
    _, tending = tended(found, found.releases, datetime.fromisoformat(story["at"]))
    begun = WriteRollout if name in TAKEN_BACK else CreateRelease
    assert [type(one) for one in tending.actions] == [begun]
