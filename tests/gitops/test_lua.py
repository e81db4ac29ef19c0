"""The Lua for Argo CD, run by Argo CD's own machine on objects of every phase."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import yaml

from rollout.engine.admission import admit
from rollout.resources.action import Action, ActionType
from rollout.resources.objects import annotations_of
from rollout.resources.release import Phase, Release
from rollout.resources.words import RESTORE
from rollout.resources.writes import Kind, Object
from rollout.simulate.world import World
from tests.engine.commits import commit
from tests.engine.stories import Act, scale
from tests.gitops import actions
from tests.gitops.build import ARGO_CD
from tests.gitops.manifests import ACCOUNT, config_map, kustomized
from tests.gitops.parts import answers
from tests.gitops.phases import COMMITS, as_the_controller_leaves_it, pause_reasons, seen

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

HEALTH: Final = {
    Phase.PAUSED: "Suspended",
    Phase.SUCCEEDED: "Healthy",
    Phase.SUPERSEDED: "Healthy",
    Phase.CANCELLED: "Healthy",
    Phase.ROLLED_BACK: "Degraded",
    Phase.FAILED: "Degraded",
}
"""Any other phase is Progressing."""


def judged(
    objects: Mapping[Any, Object], settings: Path, reason: str = ""
) -> list[tuple[Object, dict[str, Any]]]:
    found = list(objects.values())
    said = answers(ARGO_CD, ["judge", "-config-map", str(settings), "-reason", reason], found)
    assert [one["error"] for one in said if one.get("error")] == []
    return list(zip(found, said, strict=True))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return config_map(tmp_path_factory.mktemp("settings"))


@pytest.fixture(scope="module")
def releases(settings: Path) -> list[tuple[Object, dict[str, Any]]]:
    return judged(seen().releases, settings, reason="too slow")


@pytest.fixture(scope="module")
def rollouts(settings: Path) -> list[tuple[Object, dict[str, Any]]]:
    return judged(seen().rollouts, settings)


def test_every_phase_and_every_reason_of_a_pause_was_met() -> None:
    statuses = [Release.model_validate(one).status for one in seen().releases.values()]
    assert {status.phase for status in statuses} == set(Phase)
    assert {s.paused_from.reason for s in statuses if s.paused_from} == pause_reasons()


def test_a_release_is_shown_as_its_phase_is(releases: list[tuple[Object, dict[str, Any]]]) -> None:
    for raw, said in releases:
        status = Release.model_validate(raw).status
        wanted = HEALTH.get(status.phase, "Progressing")
        assert said["health"] == wanted, (status.phase, status.reason, said)
        assert status.message in said["message"] or "status" not in raw


def test_a_rollout_is_shown_as_its_release_is_or_its_last_commit(
    rollouts: list[tuple[Object, dict[str, Any]]],
) -> None:
    met = set()
    for raw, said in rollouts:
        told = {one["type"]: one for one in raw["status"]["conditions"]}
        wanted = wanted_of_rollout(raw, told)
        met.add((wanted, next(iter({"Stalled", "Reconciling"} & set(told)), "Ready")))
        assert said["health"] == wanted, (told, said)
    assert met == {
        ("Healthy", "Ready"),
        ("Degraded", "Ready"),
        ("Degraded", "Stalled"),
        ("Progressing", "Ready"),
        ("Progressing", "Reconciling"),
        ("Suspended", "Reconciling"),
    }


def wanted_of_rollout(raw: Object, told: dict[str, Any]) -> str:
    """What a person would say, who looks at what the controller did."""
    if "deletionTimestamp" in raw["metadata"]:
        return "Progressing"
    if told["Ready"]["status"] == "False":
        return "Degraded"
    if told["Ready"]["reason"] == "TemplateRejected":
        return "Degraded"
    if (
        told["Ready"]["reason"] in {"WaitsForTemplate", "TargetLeftPaused", "Idle"}
        and "Reconciling" not in told
    ):
        return "Healthy"
    assert "Reconciling" in told, told
    return "Suspended" if told["Reconciling"]["reason"] == "Paused" else "Progressing"


def test_a_deployment_of_nobody_else_is_shown_as_argo_cd_does_by_itself(
    settings: Path, tmp_path: Path
) -> None:
    """Held by a Rollout or not: while it is not paused, or when its owner has paused it."""
    bare = yaml.safe_load(settings.read_text())
    del bare["data"]["resource.customizations.health.apps_Deployment"]
    without = tmp_path / "without.yaml"
    without.write_text(yaml.safe_dump(bare))
    ours = judged(seen().deployments, settings)
    theirs = judged(seen().deployments, without)
    compared = set()
    for (raw, mine), (_, own) in zip(ours, theirs, strict=True):
        if raw["spec"].get("paused") and RESTORE in annotations_of(raw):
            continue
        compared.add(own["health"])
        assert (mine["health"], mine["message"]) == (own["health"], own["message"]), raw
    assert compared >= {"Healthy", "Progressing", "Suspended"}


def test_a_deployment_that_is_kept_paused_is_healthy_until_a_newer_template_waits(
    settings: Path,
) -> None:
    met = set()
    for raw, said in judged(seen().deployments, settings):
        spec, status = raw["spec"], raw.get("status") or {}
        current = raw["metadata"]["generation"] == status.get("observedGeneration")
        held = spec.get("paused") and RESTORE in annotations_of(raw)
        if not held or not current:
            continue
        waits = status.get("updatedReplicas", 0) < spec["replicas"]
        whole = status.get("availableReplicas", 0) == status.get("replicas", 0) == spec["replicas"]
        wanted = "Suspended" if waits else "Healthy" if whole else "Progressing"
        met.add(wanted)
        assert said["health"] == wanted, (spec["replicas"], status, said)
    assert met >= {"Suspended", "Healthy"}


def test_at_zero_a_deployment_has_nothing_to_tell_by_and_its_rollout_tells(settings: Path) -> None:
    before, after = at_zero(), at_zero(commit("v2"))
    assert before.deployment["spec"]["template"] != after.deployment["spec"]["template"]
    assert told_of_pods(before.deployment) == told_of_pods(after.deployment)
    objects = dict(enumerate((*before, *after)))
    shown = [said["health"] for _, said in judged(objects, settings)]
    assert shown == ["Healthy", "Healthy", "Healthy", "Progressing"]


class Pair(NamedTuple):
    """The two of a service that Git has and that a person looks at."""

    deployment: Object
    rollout: Object


def at_zero(act: Act = lambda _: None) -> Pair:
    """A Deployment that is kept paused, after it was scaled to 0 and something was done then."""
    world = World(COMMITS["a commit goes out"].objects())
    for do in (lambda _: None, scale(0), act):
        do(world)
        world.live("web", until=lambda: not world.one_round("web")[0])
    found = [world.get(kind, "web") for kind in (Kind.DEPLOYMENT, Kind.ROLLOUT)]
    deployment, rollout = (one for one in found if one is not None)
    assert deployment["spec"]["paused"] is True
    return Pair(deployment, as_the_controller_leaves_it(world, rollout))


def told_of_pods(deployment: Object) -> tuple[Object, Object]:
    """All that a Deployment says of its pods, and what it was noted down with."""
    status = {key: said for key, said in deployment["status"].items() if key != "conditions"}
    del status["observedGeneration"]
    return status, annotations_of(deployment)


def test_a_release_has_the_buttons_that_the_controller_would_answer(
    releases: list[tuple[Object, dict[str, Any]]],
) -> None:
    offered = set()
    for raw, said in releases:
        assert set(said["actions"]) == {str(type_) for type_ in ActionType}
        for type_ in ActionType:
            wanted = would_be_done(Release.model_validate(raw), type_)
            button = said["actions"][str(type_)]
            assert button["disabled"] is not wanted, (type_, raw["status"], raw["spec"])
            offered |= {type_} if wanted else set()
    assert offered == set(ActionType)


def would_be_done(release: Release, type_: ActionType) -> bool:
    """Whether the same by command would be written, and carried out."""
    last, back = release.spec.action, ActionType.ROLLBACK
    if release.status.phase is Phase.ROLLING_BACK or (last is not None and last.type is back):
        return False
    if last is not None and all(one.id != last.id for one in release.status.actions):
        return type_ is back and admit(asked(type_), release.status).accepted
    return admit(asked(type_), release.status).accepted


def asked(type_: ActionType) -> Action:
    return Action(id="a", type=type_, by="ana", reason="", at=datetime.now(UTC))


def test_a_button_writes_the_action_and_nothing_else(
    releases: list[tuple[Object, dict[str, Any]]],
) -> None:
    pressed = [
        (raw, name, button)
        for raw, said in releases
        for name, button in said["actions"].items()
        if not button["disabled"]
    ]
    assert pressed
    assert [button["error"] for *_, button in pressed if button.get("error")] == []
    for raw, name, button in pressed:
        (write,) = button["writes"]
        assert set(write["patch"]) == {"spec"}, write
        assert set(write["patch"]["spec"]) == {"action"}
        action = Action.model_validate(
            {**raw["spec"].get("action", {}), **write["patch"]["spec"]["action"]}
        )
        assert (str(action.type), action.by, action.reason) == (name, ACCOUNT, "too slow")
        assert raw["metadata"]["resourceVersion"] in action.id
        assert abs((action.at - datetime.now(UTC)).total_seconds()) < 300


def test_a_button_says_where_it_was_pressed_when_no_reason_is_given(settings: Path) -> None:
    said = [one for _, one in judged(seen().releases, settings)]
    pressed = [b for one in said for b in one["actions"].values() if not b["disabled"]]
    reasons = {b["writes"][0]["patch"]["spec"]["action"]["reason"] for b in pressed}
    assert reasons == {"asked in Argo CD"}
    assert all(button["params"] == ["reason"] for button in pressed)


def test_a_rollout_has_a_button_while_a_template_that_was_taken_back_waits(
    rollouts: list[tuple[Object, dict[str, Any]]],
) -> None:
    waiting = [
        (raw, said["actions"]["retry"])
        for raw, said in rollouts
        if "rejected" in raw["status"] and not raw["status"].get("activeRelease")
    ]
    assert {said["actions"]["retry"]["disabled"] for _, said in rollouts} == {True, False}
    for raw, retry in waiting:
        (write,) = retry["writes"]
        notes = {"rollout.dev/retry": raw["status"]["rejected"]["release"]}
        unless = annotations_of(raw).get("rollout.dev/retry") == notes["rollout.dev/retry"]
        assert retry["disabled"] is unless
        assert unless or write["patch"] == {"metadata": {"annotations": notes}}


def test_the_actions_are_put_together_from_the_lua_beside_them() -> None:
    for name, text in actions.documents().items():
        assert (actions.FOLDER / name).read_text() == text, "python -m tests.gitops.actions"


def test_the_settings_are_put_into_the_config_map_that_argo_cd_reads() -> None:
    (found,) = kustomized("settings")
    assert (found["metadata"]["name"], found["metadata"]["namespace"]) == ("argocd-cm", "argocd")
    assert found["metadata"]["labels"]["app.kubernetes.io/part-of"] == "argocd"
    assert all(key.startswith("resource.customizations.") for key in found["data"])
