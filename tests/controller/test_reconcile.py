"""Whole passes over a simulated cluster, with the real decision and with made-up plans."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest

from rollout.analysis.evidence import Evidence
from rollout.analysis.verdict import Reason, ReleaseVerdict, Verdict
from rollout.controller.follow import Heard
from rollout.controller.reconcile import SHORTEST_WAIT
from rollout.controller.writer import LeaseLostError
from rollout.engine.plan import Enter, Event, PauseTarget, Plan, Select
from rollout.engine.snapshot import Snapshot
from rollout.kube.errors import Conflict, Forbidden, Unreachable
from rollout.resources.release import Phase, Release, ReleaseStatus
from rollout.resources.words import RESTORE_FINALIZER
from rollout.resources.writes import Create, Delete, Kind, Object, Patch, PatchType, Write
from tests import build
from tests.controller.rig import KEY, SPACE, Rig


def idle(status: ReleaseStatus, look_again: datetime | None = None) -> Plan:
    return Plan((), status, (), look_again)


def passing(release: Release) -> Heard:
    at = release.metadata.creation_timestamp
    assert at is not None
    return Heard(Evidence(), ReleaseVerdict(Verdict.PASS, Reason.NOT_WORSE, "fine", at))


def failing(release: Release) -> Heard:
    at = release.metadata.creation_timestamp
    assert at is not None
    return Heard(Evidence(), ReleaseVerdict(Verdict.FAIL, Reason.WORSE, "worse", at))


def act(rig: Rig, type_: str) -> None:
    action = {"id": type_, "type": type_, "by": "me", "reason": "why", "at": "2026-01-01T12:00:00Z"}
    rig.patch(Kind.RELEASE, "web-v2", {"spec": {"action": action}})


def spec_of(rig: Rig, kind: Kind, name: str) -> Any:
    return rig.simulated.get(kind, SPACE, name)["spec"]


def test_a_healthy_release_succeeds_and_leaves_nothing_behind() -> None:
    rig = Rig(build.shop())
    before = spec_of(rig, Kind.SERVICE, "web")
    rig.ears.says = passing
    rig.run(lambda rig: rig.release().status.phase.ended)
    assert rig.release().status.phase is Phase.SUCCEEDED
    rig.reconciler.reconcile(KEY)
    assert spec_of(rig, Kind.SERVICE, "web") == before
    assert [d["metadata"]["name"] for d in rig.view.list(Kind.DEPLOYMENT, SPACE)] == ["web"]
    assert {"Started", "Baking", "Committed", "Succeeded"} <= set(rig.teller.reasons)
    status = rig.rollout().status
    assert (status.active_release, status.stable_version) == (None, "v2")
    assert status.last_release is not None
    assert (status.last_release.name, status.last_release.phase) == ("web-v2", "Succeeded")


def test_a_fail_takes_the_release_back() -> None:
    rig = Rig(build.shop())
    rig.ears.says = passing
    rig.run(lambda rig: rig.release().status.weight.applied == 50)
    rig.ears.says = failing
    rig.run(lambda rig: rig.release().status.phase.ended)
    assert rig.release().status.phase is Phase.ROLLED_BACK
    assert rig.rollout().status.stable_version == "v1"


def test_metrics_follow_the_release_as_it_is_after_the_pass() -> None:
    rig = Rig(build.shop())
    rig.reconciler.reconcile(KEY)
    assert [one.status.phase for one in rig.ears.attended] == [Phase.PENDING, Phase.PREPARING]


def test_evidence_is_stored_with_what_the_plan_enters() -> None:
    rig = Rig(build.shop())
    until = rig.time + timedelta(seconds=5)
    rig.ears.says = lambda _: Heard(Evidence(looks=3, until=until))
    rig.reconciler.reconcile(KEY)
    stored = rig.release().status.evidence
    assert stored is not None
    assert stored["looks"] == 3


def test_once_nothing_is_to_be_done_a_pass_writes_nothing() -> None:
    rig = Rig(build.shop())
    for _ in range(30):
        rig.reconciler.reconcile(KEY)
        rig.kubelet.quiesce()
    rig.cluster.sent.clear()
    result = rig.reconciler.reconcile(KEY)
    assert (result.written, result.errors, rig.cluster.sent) == (False, (), [])
    assert result.look_again is not None


def test_the_release_that_runs_comes_before_one_that_waits_and_that_is_refused_at_once() -> None:
    rig = Rig(build.shop())
    rig.reconciler.reconcile(KEY)
    rig.pass_time(2)
    rig.create(build.release("web-v0", "v0"))
    rig.reconciler.reconcile(KEY)
    refused = rig.release("web-v0").status
    assert (refused.phase, refused.reason) == (Phase.CANCELLED, "RivalExists")
    assert rig.release("web-v2").status.phase is Phase.PREPARING
    while rig.reconciler.reconcile(KEY).written:
        rig.pass_time(1)
    assert rig.rollout().status.active_release == "web-v2"


def test_tables_have_the_share_while_there_is_a_candidate() -> None:
    rig = Rig(build.shop())
    rig.ears.says = passing
    rig.run(lambda rig: rig.release().status.weight.applied == 20)
    assert rig.release().status.share == "20%"
    rig.run(lambda rig: rig.release().status.phase.ended)
    status = rig.release().status
    assert (status.phase, status.weight.applied, status.share) == (Phase.SUCCEEDED, 0, "-")


def test_a_release_that_waits_takes_no_traffic_from_the_one_that_runs() -> None:
    rig = Rig(build.shop())
    rig.ears.says = passing
    rig.run(lambda rig: rig.release().status.weight.applied == 20)
    rig.create(build.release("web-v3", "v3"))
    rig.reconciler.reconcile(KEY)
    assert rig.release("web-v3").status.reason == "RivalExists"
    assert rig.release().status.weight.applied == 20


def test_a_release_that_nobody_can_read_keeps_no_other_from_its_pass() -> None:
    rig = Rig(build.shop())
    broken = rig.create({**build.release("web-a"), "spec": {"rollout": "web", "version": "!"}})
    rig.patch(Kind.RELEASE, "web-a", {"status": {"phase": "Progressing"}}, "status")
    result = rig.reconciler.reconcile(KEY)
    assert result.error is not None
    assert rig.release("web-v2").status.phase is not Phase.PENDING
    conditions = rig.simulated.get(Kind.RELEASE, SPACE, "web-a")["status"]["conditions"]
    assert [(one["type"], one["status"]) for one in conditions] == [("Reconciled", "False")]
    assert "spec.version" in conditions[0]["message"]
    assert broken["metadata"]["name"] == "web-a"


def test_an_error_of_the_decision_becomes_a_condition_and_moves_nothing() -> None:
    def broken(_snapshot: Snapshot, _now: datetime) -> Plan:
        raise ZeroDivisionError("a bug of ours")

    rig = Rig(build.shop(), broken)
    result = rig.reconciler.reconcile(KEY)
    assert isinstance(result.error, ZeroDivisionError)
    status = rig.release().status
    assert status.phase is Phase.PENDING
    assert [(c.type, c.reason) for c in status.conditions] == [("Reconciled", "ZeroDivisionError")]
    assert 'errors_total{at="the pass",kind="ZeroDivisionError"} 1.0' in (
        rig.metrics.text().decode()
    )


def test_a_refused_write_is_an_error_and_a_lost_race_is_none() -> None:
    def decide(snapshot: Snapshot, _now: datetime) -> Plan:
        return Plan((PauseTarget(),), snapshot.release.status)

    rig = Rig(build.shop(), decide)

    def say(error: Exception) -> None:
        def refuse(write: Write) -> None:
            if write.kind is Kind.DEPLOYMENT:
                raise error

        rig.cluster.before = refuse

    say(Forbidden("no"))
    assert isinstance(rig.reconciler.reconcile(KEY).error, Forbidden)
    say(Conflict("somebody was faster"))
    result = rig.reconciler.reconcile(KEY)
    assert result.contested
    assert result.error is None


def test_a_pass_that_did_something_asks_to_be_repeated_at_once() -> None:
    def decide(snapshot: Snapshot, now: datetime) -> Plan:
        later = now + timedelta(hours=1)
        return Plan((PauseTarget(),), snapshot.release.status, (), later)

    rig = Rig(build.shop(), decide)
    assert rig.reconciler.reconcile(KEY).written
    second = rig.reconciler.reconcile(KEY)
    assert not second.written
    assert second.look_again == rig.time + timedelta(hours=1)


def test_a_moment_that_is_over_does_not_make_it_spin() -> None:
    rig = Rig(build.shop(), lambda s, now: idle(s.release.status, now - timedelta(seconds=9)))
    assert rig.reconciler.reconcile(KEY).look_again == rig.time + SHORTEST_WAIT


def test_what_goes_back_is_ahead_of_ordinary_work() -> None:
    def decide(snapshot: Snapshot, _now: datetime) -> Plan:
        status = snapshot.release.status.model_copy(update={"phase": Phase.ROLLING_BACK})
        return Plan((Enter(status),), status, (Event("RollingBack", "x", warning=True),))

    rig = Rig(build.shop(), decide)
    assert rig.reconciler.reconcile(KEY).back


def test_a_lost_lease_ends_the_pass_with_nothing_more_written() -> None:
    def decide(snapshot: Snapshot, _now: datetime) -> Plan:
        return Plan((PauseTarget(), Select("web", "abc")), snapshot.release.status)

    rig = Rig(build.shop(), decide)
    rig.lead.questions = 1
    with pytest.raises(LeaseLostError):
        rig.reconciler.reconcile(KEY)
    assert len(rig.cluster.sent) == 1
    assert rig.teller.told == []


@pytest.mark.parametrize("type_", ["rollback", "pause"])
def test_an_action_is_taken_up_in_the_next_pass(type_: str) -> None:
    rig = Rig(build.shop())
    rig.ears.says = passing
    rig.run(lambda rig: rig.release().status.weight.applied == 20)
    act(rig, type_)
    rig.reconciler.reconcile(KEY)
    assert rig.release().status.actions[-1].accepted
    assert rig.release().status.phase in {Phase.ROLLING_BACK, Phase.PAUSED}


def test_on_the_way_back_traffic_is_written_before_status() -> None:
    rig = Rig(build.shop())
    rig.ears.says = passing
    rig.run(lambda rig: rig.release().status.weight.applied == 20)
    act(rig, "rollback")
    rig.cluster.sent.clear()
    rig.reconciler.reconcile(KEY)
    assert [write.kind for write in rig.cluster.sent[:2]] == [Kind.INGRESS, Kind.RELEASE]


def test_every_write_may_fail_once_and_the_release_still_succeeds() -> None:
    rig = Rig(build.shop())
    rig.ears.says = passing
    failed = set[str]()

    def fail_first(write: Write) -> None:
        body = str(getattr(write, "body", ""))[:60] if isinstance(write, Create) else ""
        name = write.name if isinstance(write, Patch | Delete) else ""
        place = f"{type(write).__name__}/{write.kind.name}/{name}{body}"
        if place not in failed:
            failed.add(place)
            raise Unreachable("the line is cut")

    rig.cluster.before = fail_first
    rig.run(lambda rig: rig.release().status.phase.ended)
    assert rig.release().status.phase is Phase.SUCCEEDED
    assert len(failed) > 8


def test_the_answer_of_a_write_may_be_lost_and_the_release_still_succeeds() -> None:
    rig = Rig(build.shop())
    rig.ears.says = passing
    count = iter(range(10_000))

    def lose(_write: Write) -> None:
        if next(count) % 3 == 2:
            raise Unreachable("no answer")

    rig.cluster.after = lose
    rig.run(lambda rig: rig.release().status.phase.ended)
    assert rig.release().status.phase is Phase.SUCCEEDED


def test_deleting_the_release_takes_it_back_and_lets_it_go() -> None:
    rig = Rig(build.shop())
    rig.ears.says = passing
    rig.run(lambda rig: rig.release().status.weight.applied == 20)
    rig.simulated.apply(Delete(Kind.RELEASE, SPACE, "web-v2"))
    for _ in range(60):
        result = rig.reconciler.reconcile(KEY)
        assert result.error is None
        rig.pass_time(0 if result.written else 0.5)
    assert rig.view.get(Kind.RELEASE, SPACE, "web-v2") is None
    assert rig.view.get(Kind.DEPLOYMENT, SPACE, "web-candidate") is None
    assert RESTORE_FINALIZER not in rig.rollout().metadata.finalizers


def test_a_finalizer_that_was_left_behind_is_taken_away_once_nothing_runs() -> None:
    rig = Rig([build.deployment(), build.service(), build.ingress(), build.rollout()])
    rig.patch(Kind.ROLLOUT, "web", {"metadata": {"finalizers": [RESTORE_FINALIZER, "x.y/z"]}})
    assert rig.reconciler.reconcile(KEY).written
    assert rig.rollout().metadata.finalizers == ["x.y/z"]


def finished(rig: Rig, numbers: Iterable[int]) -> None:
    for number in numbers:
        rig.create(build.release(f"web-{number}"))
        at = f"2026-01-01T11:{number:02}:00Z"
        status = {"phase": "Succeeded", "finishedAt": at}
        rig.patch(Kind.RELEASE, f"web-{number}", {"status": status}, "status")


def test_finished_releases_beyond_the_limit_go_the_oldest_first() -> None:
    rollout = build.rollout(historyLimit=3)
    rig = Rig([build.deployment(), build.service(), build.ingress(), rollout])
    finished(rig, [5, 1, 4, 2, 3])
    rig.reconciler.reconcile(KEY)
    kept = [r["metadata"]["name"] for r in rig.view.list(Kind.RELEASE, SPACE)]
    assert kept == ["web-3", "web-4", "web-5"]


def test_a_namespace_is_asked_for_only_while_something_in_it_is_deleted() -> None:
    rig = Rig(build.shop())
    objects = rig.reconciler.observer.objects
    rig.terminating = True
    assert not objects(KEY, rig.reconciler.observer.releases(KEY)[0]).namespace_terminating
    rig.patch(Kind.RELEASE, "web-v2", {"metadata": {"finalizers": ["x.y/z"]}})
    rig.simulated.apply(Delete(Kind.RELEASE, SPACE, "web-v2"))
    assert objects(KEY, rig.reconciler.observer.releases(KEY)[0]).namespace_terminating


def ready(rig: Rig) -> tuple[str, str, str]:
    rig.reconciler.reconcile(KEY)
    found = next(one for one in rig.rollout().status.conditions if one.type == "Ready")
    return (str(found.status), found.reason, found.message)


def test_an_idle_rollout_says_what_users_have_and_that_it_is_ready() -> None:
    rig = Rig([build.deployment(), build.service(), build.ingress(), build.rollout()])
    assert ready(rig)[:2] == ("True", "Idle")
    assert rig.rollout().status.stable_version == "v1"
    rig.cluster.sent.clear()
    rig.reconciler.reconcile(KEY)
    assert rig.cluster.sent == []


@pytest.mark.parametrize(
    ("objects", "reason", "said"),
    [
        ([build.rollout()], "NotFound", "there is no Deployment web"),
        ([build.deployment(), build.rollout()], "NoService", "no Service selects the pods"),
        (
            [build.deployment(), build.service(), build.rollout(strategy=build.canary(5))],
            "ShareUnreachable",
            "step 1 (5 %) cannot be made of 4 replicas",
        ),
    ],
)
def test_an_idle_rollout_says_what_is_in_the_way_of_a_release(
    objects: list[Object], reason: str, said: str
) -> None:
    status, why, message = ready(Rig(objects))
    assert (status, why) == ("False", reason)
    assert said in message


def test_the_younger_of_two_rollouts_of_one_deployment_says_that_it_is_refused() -> None:
    rig = Rig([build.deployment(), build.service(), build.ingress(), build.rollout()])
    rig.create(build.rollout("web-too"))
    rig.reconciler.reconcile(KEY)
    rig.reconciler.reconcile(KEY._replace(name="web-too"))
    younger = rig.rollout("web-too").status.conditions[0]
    assert (str(younger.status), younger.reason) == ("False", "RivalExists")
    assert str(rig.rollout().status.conditions[0].status) == "True"


def test_a_rollout_that_is_gone_is_nothing_to_complain_about() -> None:
    rig = Rig([])
    result = rig.reconciler.reconcile(KEY)
    assert (result.errors, rig.cluster.sent) == ((), [])


def test_stable_is_what_serves_and_not_what_waits_in_the_template() -> None:
    rig = Rig([build.deployment(), build.service(), build.ingress(), build.rollout()])
    body: list[Object] = [
        {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "a/web:v9"},
        {"op": "add", "path": "/spec/paused", "value": True},
    ]
    rig.simulated.apply(Patch(Kind.DEPLOYMENT, SPACE, "web", PatchType.JSON, body))
    rig.pass_time(5)
    rig.reconciler.reconcile(KEY)
    assert rig.rollout().status.stable_version == "v1"
