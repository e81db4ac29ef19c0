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
    for raw, said in judged({key: raw for key, raw in seen().releases.items() if "status" in raw}):
        status = Release.model_validate(raw).status
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


def test_a_release_that_goes_on_says_its_phase_and_one_that_has_failed_why() -> None:
    met = set()
    for raw in seen().releases.values():
        status = Release.model_validate(raw).status
        told = {one.type: one for one in status.conditions}
        if "status" not in raw or status.phase is Phase.SUCCEEDED:
            assert not {"Reconciling", "Stalled"} & set(told)
            continue
        abnormal, reason = ("Reconciling", str(status.phase))
        if status.phase.ended:
            abnormal, reason = ("Stalled", status.reason)
        assert told[abnormal].reason == told["Ready"].reason == reason
        assert told[abnormal].message == told["Ready"].message
        met.add(status.phase)
    assert met == set(Phase) - {Phase.SUCCEEDED}


def test_what_the_controller_has_not_looked_at_is_current_to_kstatus() -> None:
    """There is nothing in it that would say otherwise: docs/git.md says what follows."""
    kinds = (seen().releases, seen().rollouts)
    found = {
        (number, key): {part: raw[part] for part in raw if part != "status"}
        for number, objects in enumerate(kinds)
        for key, raw in objects.items()
        if "deletionTimestamp" not in raw["metadata"]
    }
    assert {raw["kind"] for raw in found.values()} == {"Release", "Rollout"}
    assert {said for _, said in judged(found)} == {"Current"}


def test_a_deployment_that_is_kept_paused_is_never_current() -> None:
    """So nobody can wait for it with `wait: true`: docs/git.md names the Rollout instead."""
    met = set()
    for raw, said in judged(seen().deployments):
        status, replicas = raw.get("status") or {}, raw["spec"]["replicas"]
        counts = ("replicas", "updatedReplicas", "availableReplicas")
        whole = all(status.get(count, 0) == replicas for count in counts)
        if whole and raw["spec"].get("paused") and replicas:
            met.add(raw["metadata"]["generation"] == status["observedGeneration"])
            assert said == "InProgress", raw
    assert True in met


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
