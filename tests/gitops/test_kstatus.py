"""kstatus, by which Flux and others wait, on objects of every phase."""

from collections.abc import Mapping
from typing import Any

import pytest

from rollout.resources.release import Phase, Release
from rollout.resources.writes import Object
from tests.gitops.build import FLUX
from tests.gitops.parts import answers
from tests.gitops.phases import seen

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


def judged(objects: Mapping[Any, Object]) -> list[tuple[Object, str]]:
    found = list(objects.values())
    said = answers(FLUX, ["status"], found)
    return [(raw, one["status"]) for raw, one in zip(found, said, strict=True)]


def test_a_release_is_current_when_it_has_succeeded_and_failed_at_any_other_end() -> None:
    met = set()
    for raw, said in judged(seen().releases):
        status = Release.model_validate(raw).status
        if "status" not in raw:
            continue  # nobody has looked at it yet, and kstatus does not wait for that
        if raw["metadata"].get("generation") != status.observed_generation:
            assert said in {"InProgress", "Terminating"}
            continue
        wanted = "Current" if status.phase is Phase.SUCCEEDED else "Failed"
        if "deletionTimestamp" in raw["metadata"]:
            wanted = "Terminating"
        elif not status.phase.ended:
            wanted = "InProgress"
        met.add((status.phase, said))
        assert said == wanted, status
    assert {phase for phase, _ in met} == set(Phase)


def test_a_rollout_is_current_between_releases_and_failed_while_a_rejected_template_waits() -> None:
    met = set()
    for raw, said in judged(seen().rollouts):
        told = {one["type"]: one for one in raw["status"]["conditions"]}
        wanted = "Current"
        if "deletionTimestamp" in raw["metadata"]:
            wanted = "Terminating"
        elif "Stalled" in told:
            assert told["Stalled"]["reason"] == "TemplateRejected"
            wanted = "Failed"
        elif "Reconciling" in told or told["Ready"]["status"] == "False":
            wanted = "InProgress"
        met.add((wanted, told["Ready"]["reason"]))
        assert said == wanted, told
    assert met >= {
        ("Current", "WaitsForTemplate"),
        ("Current", "Idle"),
        ("Failed", "TemplateRejected"),
        ("InProgress", "Releasing"),
        ("InProgress", "Settling"),
    }


def test_the_two_abnormal_conditions_are_never_there_together_nor_false() -> None:
    for raw in (*seen().releases.values(), *seen().rollouts.values()):
        told = {
            one["type"]: one["status"] for one in (raw.get("status") or {}).get("conditions", [])
        }
        assert len({"Stalled", "Reconciling"} & set(told)) <= 1
        assert {told.get("Stalled", "True"), told.get("Reconciling", "True")} == {"True"}
