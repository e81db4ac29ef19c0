"""Carrying out a plan: in order, fenced, up to the first failure."""

from dataclasses import replace

import pytest

from rollout.controller.execute import execute, named
from rollout.controller.queue import Key
from rollout.controller.writer import LeaseLostError
from rollout.engine.plan import (
    CreateCandidate,
    DeleteCandidate,
    Enter,
    PauseTarget,
    ScaleCandidate,
    Select,
    UnpauseTarget,
)
from rollout.kube.errors import Conflict, NotFound, ServerFault
from rollout.resources.release import Phase, ReleaseStatus
from rollout.resources.writes import Create, Delete, Kind, Patch, PatchType, Write
from rollout.translation.objects import Objects
from tests import build
from tests.controller.rig import SPACE, Rig

KEY = Key(SPACE, "web")
TEMPLATE = build.deployment()["spec"]["template"]


def seen(rig: Rig) -> Objects:
    observer = rig.reconciler.observer
    return observer.objects(KEY, observer.releases(KEY)[0])


@pytest.fixture
def rig() -> Rig:
    return Rig(build.shop())


def test_actions_are_carried_out_in_order_and_answers_are_put_back(rig: Rig) -> None:
    actions = (CreateCandidate(TEMPLATE), ScaleCandidate(2), ScaleCandidate(3))
    outcome = execute(actions, seen(rig), rig.writer)
    assert outcome.error is None
    assert (outcome.done, outcome.written) == (actions, 3)
    candidate = outcome.objects.named("deployments", "web-candidate")
    assert candidate is not None
    assert candidate["spec"]["replicas"] == 3
    assert rig.view.answers[-1] == candidate


def test_an_action_that_is_so_already_costs_no_write(rig: Rig) -> None:
    outcome = execute((UnpauseTarget(), DeleteCandidate()), seen(rig), rig.writer)
    assert (outcome.written, len(outcome.done), rig.cluster.sent) == (0, 2, [])


def test_execution_stops_at_the_first_failure(rig: Rig) -> None:
    def refuse(write: Write) -> None:
        if write.kind is Kind.SERVICE:
            raise ServerFault("the disk is full")

    rig.cluster.before = refuse
    objects = seen(rig)
    outcome = execute((PauseTarget(), Select("web", "abc"), UnpauseTarget()), objects, rig.writer)
    assert outcome.done == (PauseTarget(),)
    assert outcome.failed == Select("web", "abc")
    assert isinstance(outcome.error, ServerFault)
    assert not outcome.contested
    assert len(rig.cluster.sent) == 1


def test_a_conflict_is_somebody_being_faster_and_not_an_error(rig: Rig) -> None:
    objects = seen(rig)
    rig.patch(Kind.SERVICE, "web", {"metadata": {"labels": {"touched": "yes"}}})
    outcome = execute((Select("web", "abc"), PauseTarget()), objects, rig.writer)
    assert isinstance(outcome.error, Conflict)
    assert outcome.contested
    assert rig.cluster.sent == []


def test_leadership_is_asked_before_each_write_and_nothing_follows_its_loss(rig: Rig) -> None:
    rig.lead.questions = 2
    actions = (CreateCandidate(TEMPLATE), ScaleCandidate(2), ScaleCandidate(3), PauseTarget())
    outcome = execute(actions, seen(rig), rig.writer)
    assert outcome.lost
    assert outcome.failed == ScaleCandidate(3)
    assert len(rig.cluster.sent) == 2


def test_a_write_may_take_no_longer_than_leadership_lasts(rig: Rig) -> None:
    rig.lead.seconds = 0.7
    execute((PauseTarget(),), seen(rig), rig.writer)
    rig.lead.seconds = 99.0
    execute((UnpauseTarget(),), seen(rig), rig.writer)
    assert rig.cluster.bounds == [0.7, 10.0]


def test_a_writer_without_leadership_sends_nothing(rig: Rig) -> None:
    rig.lead.questions = 0
    with pytest.raises(LeaseLostError):
        rig.writer.apply(Create(Kind.CONFIG_MAP, SPACE, {"metadata": {"name": "a"}}))
    assert rig.cluster.sent == []


def test_deleting_what_is_gone_is_done(rig: Rig) -> None:
    objects = seen(rig)
    candidate = execute((CreateCandidate(TEMPLATE),), objects, rig.writer).objects
    rig.simulated.apply(Delete(Kind.DEPLOYMENT, SPACE, "web-candidate"))
    rig.pass_time(5)
    outcome = execute((DeleteCandidate(),), candidate, rig.writer)
    assert outcome.error is None
    assert outcome.done == (DeleteCandidate(),)
    assert [write.name for write in rig.view.gone] == ["web-candidate"]


def test_what_was_deleted_is_hidden_before_the_watch_tells_it(rig: Rig) -> None:
    created = execute((CreateCandidate(TEMPLATE),), seen(rig), rig.writer).objects
    execute((DeleteCandidate(),), created, rig.writer)
    assert [write.name for write in rig.view.gone] == ["web-candidate"]
    assert rig.view.gone[0].uid


def test_what_waits_for_its_finalizers_is_not_hidden(rig: Rig) -> None:
    created = execute((CreateCandidate(TEMPLATE),), seen(rig), rig.writer).objects
    keep = {"metadata": {"finalizers": ["example.com/keep"]}}
    rig.simulated.apply(Patch(Kind.DEPLOYMENT, SPACE, "web-candidate", PatchType.MERGE, keep))
    kept = created.replace(rig.simulated.get(Kind.DEPLOYMENT, SPACE, "web-candidate"))
    outcome = execute((DeleteCandidate(),), kept, rig.writer)
    assert outcome.error is None
    assert rig.view.gone == []
    assert "deletionTimestamp" in rig.view.answers[-1]["metadata"]


def test_changing_what_is_gone_is_contested(rig: Rig) -> None:
    objects = seen(rig)
    rig.simulated.apply(Delete(Kind.SERVICE, SPACE, "web"))
    outcome = execute((Select("web", "abc"),), objects, rig.writer)
    assert isinstance(outcome.error, NotFound)
    assert outcome.contested


def test_the_status_that_an_action_writes_is_the_base_of_the_next(rig: Rig) -> None:
    first = ReleaseStatus(phase=Phase.PREPARING, message="one")
    second = replace_message(first, "two")
    outcome = execute((Enter(first), Enter(second), Enter(second)), seen(rig), rig.writer)
    assert (outcome.written, len(outcome.done)) == (2, 3)
    assert rig.release().status.message == "two"


def replace_message(status: ReleaseStatus, message: str) -> ReleaseStatus:
    return status.model_copy(update={"message": message})


def test_writes_are_counted_by_verb_kind_and_result(rig: Rig) -> None:
    objects = seen(rig)
    execute((PauseTarget(),), objects, rig.writer)
    execute((PauseTarget(),), replace(objects), rig.writer)
    text = rig.metrics.text().decode()
    assert 'writes_total{kind="Deployment",result="done",verb="patch"} 1.0' in text
    assert 'writes_total{kind="Deployment",result="Conflict",verb="patch"} 1.0' in text


def test_actions_are_named_without_templates_and_statuses() -> None:
    assert named(Select("web", "abc", latch=True)) == "Select(service=web, hash=abc, latch=True)"
    assert named(CreateCandidate(TEMPLATE)) == "CreateCandidate"
    assert named(Enter(ReleaseStatus())) == "Enter"
