"""Shipping something known again, back or anew: real passes over a simulated cluster."""

from datetime import UTC, datetime
from typing import Any

import pytest

from rollout.analysis.evidence import Evidence
from rollout.analysis.verdict import Reason, ReleaseVerdict, Verdict
from rollout.commands.discard import discard_edit
from rollout.commands.refusal import CommandRefusedError
from rollout.commands.request import Request, Started
from rollout.commands.restart import restart
from rollout.commands.retry import retry
from rollout.commands.start import start
from rollout.commands.undo import undo
from rollout.controller.follow import Heard
from rollout.engine.earlier import RESTARTED
from rollout.resources.objects import name_of
from rollout.resources.release import Phase, Release
from rollout.resources.words import RESTORE
from rollout.resources.writes import Kind, Object
from tests import build
from tests.controller.rig import KEY, SPACE, Rig

NOW = datetime(2026, 1, 2, 3, tzinfo=UTC)


def passing(release: Release) -> Heard:
    at = release.metadata.creation_timestamp
    assert at is not None
    return Heard(Evidence(), ReleaseVerdict(Verdict.PASS, Reason.NOT_WORSE, "fine", at))


@pytest.fixture
def rig() -> Rig:
    """A service at v1 with a Rollout that keeps next to no history."""
    objects = (build.deployment(), build.service(), build.ingress(), build.rollout(historyLimit=1))
    found = Rig(objects)
    found.ears.says = passing
    return found


def carried_out(rig: Rig, started: Started, phase: Phase = Phase.SUCCEEDED) -> Release:
    """Have a release end, and its Rollout's history be tended."""
    name = name_of(started.release)
    end = 400
    while not rig.release(name).status.phase.ended:
        end -= 1
        assert end, rig.release(name).status
        result = rig.reconciler.reconcile(KEY)
        rig.kubelet.quiesce()
        if not result.written:
            rig.pass_time(0.5)
    found = rig.release(name)
    assert found.status.phase is phase, found.status.message
    rig.pass_time(2)
    rig.reconciler.reconcile(KEY)
    return found


def ship(rig: Rig, version: str) -> Release:
    return carried_out(rig, start(rig.simulated, SPACE, Request(version, rollout="web")))


def back(rig: Rig, to: str | None = None) -> Release:
    return carried_out(rig, undo(rig.simulated, SPACE, None, to=to, by="ana", reason="3 a.m."))


def target(rig: Rig) -> Any:
    return rig.simulated.get(Kind.DEPLOYMENT, SPACE, "web")


def image(rig: Rig) -> str:
    return str(target(rig)["spec"]["template"]["spec"]["containers"][0]["image"])


def edit(rig: Rig, tag: str, **spec: Any) -> None:
    containers = build.deployment(image=f"registry.local/web:{tag}")["spec"]["template"]["spec"]
    rig.patch(Kind.DEPLOYMENT, "web", {"spec": {"template": {"spec": containers}, **spec}})
    rig.pass_time(10)


def pods(rig: Rig) -> set[str]:
    return {name_of(pod) for pod in rig.simulated.list(Kind.POD, SPACE).items}


def refused(rig: Rig, to: str | None = None) -> str:
    before = rig.simulated.list(Kind.RELEASE, SPACE).items
    with pytest.raises(CommandRefusedError) as found:
        undo(rig.simulated, SPACE, None, to=to, by="ana", reason="")
    assert rig.simulated.list(Kind.RELEASE, SPACE).items == before
    return str(found.value)


def test_undo_brings_back_the_whole_earlier_template_on_the_fast_path(rig: Rig) -> None:
    before = target(rig)["spec"]["template"]
    edit(rig, "v1", minReadySeconds=0)
    ship(rig, "v2")
    done = back(rig)
    assert target(rig)["spec"]["template"] == before
    assert done.spec.fast
    assert (done.spec.by, done.spec.reason) == ("ana", "3 a.m.")
    assert "StepEntered" not in [entry.reason for entry in done.status.timeline]


def test_undo_after_undo_goes_further_back_though_next_to_no_history_is_kept(rig: Rig) -> None:
    ship(rig, "v2")
    ship(rig, "v3")
    back(rig)
    assert image(rig).endswith(":v2")
    back(rig)
    assert image(rig).endswith(":v1")
    assert "nothing tells what served before registry.local/web:v1" in refused(rig)


def test_undo_to_a_version_of_any_age(rig: Rig) -> None:
    ship(rig, "v2")
    ship(rig, "v3")
    ship(rig, "v4")
    back(rig, to="v1")
    assert image(rig).endswith(":v1")


def test_undo_to_what_never_served_names_what_has(rig: Rig) -> None:
    ship(rig, "v2")
    said = refused(rig, to="v7")
    assert "--to 'v7'" in said
    assert "registry.local/web:v2, registry.local/web:v1" in said
    assert "rollout start v7" in said


def test_undo_to_what_serves_is_refused(rig: Rig) -> None:
    ship(rig, "v2")
    assert "is what serves already" in refused(rig, to="v2")


def test_undo_of_what_kubectl_rolled_out_goes_back_to_the_replica_set_before(rig: Rig) -> None:
    edit(rig, "v5")
    back(rig)
    assert image(rig).endswith(":v1")


def test_undo_where_nothing_served_before_is_refused_with_the_way_out(rig: Rig) -> None:
    assert "rollout start VERSION" in refused(rig)


def test_undo_while_a_release_runs_is_refused_with_the_way_back(rig: Rig) -> None:
    started = start(rig.simulated, SPACE, Request("v2", rollout="web"))
    rig.reconciler.reconcile(KEY)
    assert f"`rollout rollback {name_of(started.release)}` first" in refused(rig)


def test_undo_of_a_release_that_is_past_the_way_back_says_so(rig: Rig) -> None:
    started = start(rig.simulated, SPACE, Request("v2", rollout="web"))
    name = name_of(started.release)
    rig.reconciler.reconcile(KEY)
    rig.patch(Kind.RELEASE, name, {"status": {"committed": True}}, "status")
    said = refused(rig)
    assert "past the way back" in said
    assert "rollback" not in said


@pytest.mark.parametrize(
    ("name", "said"),
    [("shop", "there is no Rollout shop in namespace shop (there are: web)")],
)
def test_a_rollout_that_is_not_there_is_refused_with_those_that_are(
    rig: Rig, name: str, said: str
) -> None:
    with pytest.raises(CommandRefusedError) as found:
        undo(rig.simulated, SPACE, name, to=None, by="", reason="")
    assert said in str(found.value)


def test_a_retry_ships_the_same_with_the_same_overrides(rig: Rig) -> None:
    request = Request("v2", rollout="web", strategy="blue-green", by="ana", reason="first")
    started = start(rig.simulated, SPACE, request)
    rig.reconciler.reconcile(KEY)
    action = {"id": "1", "type": "rollback", "by": "ana", "at": "2026-01-01T12:00:00Z"}
    name = name_of(started.release)
    rig.patch(Kind.RELEASE, name, {"spec": {"action": action}})
    carried_out(rig, started, Phase.ROLLED_BACK)
    again = retry(rig.simulated, SPACE, name, "bo", "second").release
    assert again["spec"]["version"] == "v2"
    earlier = rig.simulated.get(Kind.RELEASE, SPACE, name)
    assert again["spec"]["overrides"] == earlier["spec"]["overrides"]
    assert (again["spec"]["by"], again["spec"]["reason"]) == ("bo", "second")
    assert "action" not in again["spec"]
    assert name_of(again) != name


def test_the_timeline_names_versions_and_commands_as_people_do(rig: Rig) -> None:
    ship(rig, "v2")
    told = [entry.message for entry in back(rig).status.timeline]
    assert "v1 of web is released on the fast path by ana: 3 a.m." in told
    name = name_of(start(rig.simulated, SPACE, Request("v3", rollout="web")).release)
    while rig.release(name).status.phase is not Phase.PROGRESSING:
        rig.reconciler.reconcile(KEY)
        rig.kubelet.quiesce()
        rig.pass_time(0.5)
    action = {"id": "1", "type": "promoteFull", "by": "ana", "at": "2026-01-01T12:00:00Z"}
    rig.patch(Kind.RELEASE, name, {"spec": {"action": action}})
    rig.reconciler.reconcile(KEY)
    told = [entry.message for entry in rig.release(name).status.timeline]
    assert "promote --full by ana" in told


def followed(rig: Rig) -> None:
    """Have releases start by the template from now on."""
    patch = {"spec": {"trigger": "Template", "onNewRelease": "Supersede"}}
    rig.patch(Kind.ROLLOUT, "web", patch)


def test_a_new_version_has_to_come_to_the_template_too(rig: Rig) -> None:
    followed(rig)
    said = start(rig.simulated, SPACE, Request("v2", rollout="web")).assumed
    assert [one for one in said if one.endswith("bring the version there too")] != []


def test_new_pods_of_a_version_have_none_to_bring(rig: Rig) -> None:
    followed(rig)
    said = restart(rig.simulated, SPACE, "web", by="ana", reason="", now=NOW).assumed
    assert [one for one in said if one.endswith("takes its place")] != []
    assert "bring the version" not in "".join(said)


def test_a_retry_beside_a_release_that_runs_is_refused(rig: Rig) -> None:
    started = start(rig.simulated, SPACE, Request("v2", rollout="web"))
    rig.reconciler.reconcile(KEY)
    with pytest.raises(CommandRefusedError, match="wait for its end"):
        retry(rig.simulated, SPACE, name_of(started.release), "bo", "")


def test_a_retry_of_what_serves_already_is_refused(rig: Rig) -> None:
    done = ship(rig, "v2")
    with pytest.raises(CommandRefusedError, match="is what serves already"):
        retry(rig.simulated, SPACE, done.metadata.name, "bo", "")


def test_a_restart_goes_through_the_steps_and_ends_with_new_pods(rig: Rig) -> None:
    before = pods(rig)
    started = restart(rig.simulated, SPACE, "web", by="ana", reason="", now=NOW)
    done = carried_out(rig, started)
    notes = target(rig)["spec"]["template"]["metadata"]["annotations"]
    assert notes == {RESTARTED: "2026-01-02T03:00:00Z"}
    assert image(rig).endswith(":v1")
    assert not before & pods(rig)
    assert "StepEntered" in [entry.reason for entry in done.status.timeline]


def left_edit(rig: Rig) -> None:
    """Leave an edit waiting, as a release that was rolled back does."""
    started = start(rig.simulated, SPACE, Request("v2", rollout="web"))
    for _ in range(8):
        rig.reconciler.reconcile(KEY)
        rig.kubelet.quiesce()
    edit(rig, "v9")
    action = {"id": "1", "type": "rollback", "by": "ana", "at": "2026-01-01T12:00:00Z"}
    rig.patch(Kind.RELEASE, name_of(started.release), {"spec": {"action": action}})
    carried_out(rig, started, Phase.ROLLED_BACK)
    assert target(rig)["spec"]["paused"]


def test_a_discarded_edit_is_given_out_and_no_pod_is_touched(rig: Rig) -> None:
    template, before = target(rig)["spec"]["template"], pods(rig)
    left_edit(rig)
    done = discard_edit(rig.simulated, SPACE, None)
    rig.pass_time(30)
    assert done.template["spec"]["containers"][0]["image"].endswith(":v9")
    assert target(rig)["spec"]["template"] == template
    assert not target(rig)["spec"].get("paused")
    assert RESTORE not in (target(rig)["metadata"].get("annotations") or {})
    assert pods(rig) == before
    ship(rig, "v2")


def test_with_nothing_waiting_nothing_is_discarded(rig: Rig) -> None:
    before = target(rig)
    with pytest.raises(CommandRefusedError, match="no edit waits on Deployment web"):
        discard_edit(rig.simulated, SPACE, "web")
    assert target(rig) == before


def test_an_edit_of_a_release_that_runs_is_not_discarded(rig: Rig) -> None:
    start(rig.simulated, SPACE, Request("v2", rollout="web"))
    for _ in range(8):
        rig.reconciler.reconcile(KEY)
        rig.kubelet.quiesce()
    edit(rig, "v9")
    before = target(rig)
    with pytest.raises(CommandRefusedError, match="rollout rollback"):
        discard_edit(rig.simulated, SPACE, "web")
    assert target(rig) == before


def test_an_edit_on_a_deployment_that_somebody_paused_is_theirs(rig: Rig) -> None:
    rig.patch(Kind.DEPLOYMENT, "web", {"spec": {"paused": True}})
    edit(rig, "v9")
    before: Object = target(rig)
    with pytest.raises(CommandRefusedError, match="paused by somebody"):
        discard_edit(rig.simulated, SPACE, "web")
    assert target(rig) == before


def test_an_update_under_way_is_no_edit_that_waits(rig: Rig) -> None:
    containers = build.deployment(image="registry.local/web:v9")["spec"]["template"]["spec"]
    rig.patch(Kind.DEPLOYMENT, "web", {"spec": {"template": {"spec": containers}}})
    with pytest.raises(CommandRefusedError, match="kubectl rollout undo"):
        discard_edit(rig.simulated, SPACE, "web")
