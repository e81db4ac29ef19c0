"""What a pass leaves behind, also when it failed."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from rollout.controller.execute import execute
from rollout.controller.queue import Key
from rollout.controller.record import RECONCILED, Recorded
from rollout.controller.worth import NUMBERS_AFTER, WORDS_AFTER
from rollout.engine.plan import Action, Enter, Event, PauseTarget, Plan, Select
from rollout.kube.errors import Conflict, Forbidden, ServerFault
from rollout.kube.events import EventLevel
from rollout.resources.conditions import Condition
from rollout.resources.model import rfc3339
from rollout.resources.release import Phase, ReleaseStatus, TimelineEntry, Verdict
from rollout.resources.writes import Delete, Kind, Object, Write
from tests import build
from tests.controller.rig import SPACE, START, Rig

KEY = Key(SPACE, "web")
STATUS = ReleaseStatus(phase=Phase.PREPARING, message="getting ready")
STARTED = Event("Started", "it begins")
ENTRY = TimelineEntry(at=START, phase=Phase.PREPARING, reason="Started", message="it begins")


@pytest.fixture
def rig() -> Rig:
    return Rig(build.shop())


def raw(rig: Rig) -> Object:
    return rig.reconciler.observer.releases(KEY)[0]


def recorded(
    rig: Rig, *actions: Action, status: ReleaseStatus = STATUS, events: tuple[Event, ...] = ()
) -> Recorded:
    before = raw(rig)
    outcome = execute(actions, rig.reconciler.observer.objects(KEY, before), rig.writer)
    return rig.record.write(before, Plan(actions, status, events), outcome)


def refusing(kind: Kind, error: Exception) -> Callable[[Write], None]:
    def refuse(write: Write) -> None:
        if write.kind is kind:
            raise error

    return refuse


def condition(rig: Rig, type_: str = RECONCILED) -> Condition | None:
    found = (one for one in rig.release().status.conditions if one.type == type_)
    return next(found, None)


def test_status_reads_what_the_plan_says(rig: Rig) -> None:
    assert recorded(rig).written
    assert rig.release().status == STATUS


def test_nothing_is_written_when_nothing_differs(rig: Rig) -> None:
    recorded(rig, events=(STARTED,))
    rig.cluster.sent.clear()
    rig.teller.told.clear()
    assert not recorded(rig, events=(STARTED,)).written
    assert rig.cluster.sent == []
    assert rig.teller.told == []


def test_events_are_told_with_their_level(rig: Rig) -> None:
    recorded(rig, events=(STARTED, Event("CandidateNotReady", "oh", warning=True)))
    assert [told.level for told in rig.teller.told] == [EventLevel.NORMAL, EventLevel.WARNING]
    assert rig.teller.reasons == ["Started", "CandidateNotReady"]


def test_after_a_failure_status_says_what_failed_and_not_what_was_planned(rig: Rig) -> None:
    rig.cluster.before = refusing(Kind.SERVICE, Forbidden("services is forbidden"))
    entered = STATUS.model_copy(update={"timeline": [ENTRY]})
    promised = entered.model_copy(update={"message": "it is done", "marks": {"weight": START}})
    recorded(rig, Enter(entered), Select("web", "abc"), status=promised)
    status = rig.release().status
    assert (status.message, status.marks) == ("getting ready", {})
    found = condition(rig)
    assert found is not None
    assert (found.status, found.reason) == ("False", "Forbidden")
    assert found.message == "Select(service=web, hash=abc): services is forbidden"


def test_after_a_failure_only_events_that_are_durable_are_told(rig: Rig) -> None:
    rig.cluster.before = refusing(Kind.SERVICE, ServerFault("no"))
    events = (STARTED, Event("Promoted", "never happened"))
    entered = STATUS.model_copy(update={"timeline": [ENTRY]})
    recorded(rig, Enter(entered), Select("web", "abc"), status=entered, events=events)
    assert rig.teller.reasons == ["Started", "PassFailed"]


def test_events_that_are_durable_are_told_when_the_last_write_loses_a_race(rig: Rig) -> None:
    before = raw(rig)
    entered = STATUS.model_copy(update={"timeline": [ENTRY]})
    outcome = execute((Enter(entered),), rig.reconciler.observer.objects(KEY, before), rig.writer)
    rig.patch(Kind.RELEASE, "web-v2", {"metadata": {"labels": {"touched": "yes"}}})
    promised = entered.model_copy(update={"marks": {"weight": START}})
    events = (STARTED, Event("Promoted", "never happened"))
    with pytest.raises(Conflict):
        rig.record.write(before, Plan((Enter(entered),), promised, events), outcome)
    assert rig.teller.reasons == ["Started"]


def test_the_same_failure_is_written_once(rig: Rig) -> None:
    rig.cluster.before = refusing(Kind.SERVICE, ServerFault("no"))
    recorded(rig, Select("web", "abc"))
    rig.cluster.sent.clear()
    recorded(rig, Select("web", "abc"))
    assert rig.cluster.sent == []


def test_another_failure_changes_the_words_and_not_the_moment(rig: Rig) -> None:
    rig.cluster.before = refusing(Kind.SERVICE, ServerFault("no"))
    recorded(rig, Select("web", "abc"))
    first = condition(rig)
    rig.pass_time(10)
    rig.cluster.before = refusing(Kind.SERVICE, ServerFault("still no"))
    recorded(rig, Select("web", "abc"))
    second = condition(rig)
    assert first is not None
    assert second is not None
    assert second.message.endswith("still no")
    assert second.last_transition_time == first.last_transition_time


def test_a_success_takes_the_failure_back(rig: Rig) -> None:
    rig.cluster.before = refusing(Kind.SERVICE, ServerFault("no"))
    recorded(rig, Select("web", "abc"))
    rig.cluster.before = lambda _: None
    recorded(rig, status=rig.release().status)
    found = condition(rig)
    assert found is not None
    assert (found.status, found.message) == ("True", "")


def test_a_release_that_never_failed_has_no_such_condition(rig: Rig) -> None:
    recorded(rig)
    assert condition(rig) is None


def test_a_lost_race_changes_no_status(rig: Rig) -> None:
    before = raw(rig)
    objects = rig.reconciler.observer.objects(KEY, before)
    rig.patch(Kind.DEPLOYMENT, "web", {"metadata": {"labels": {"touched": "yes"}}})
    outcome = execute((PauseTarget(),), objects, rig.writer)
    assert not rig.record.write(before, Plan((), STATUS, ()), outcome).written
    assert rig.release().status.message == ""
    assert rig.teller.told == []


def judged(seconds: float, result: str = "Undecided") -> ReleaseStatus:
    at = START + timedelta(seconds=seconds)
    verdict = Verdict(result=result, message=f"after {seconds} s", at=at)
    return STATUS.model_copy(
        update={"verdict": verdict, "evidence": {"looks": 1, "until": rfc3339(at)}}
    )


def test_numbers_alone_wait_a_moment_and_go_with_the_next_write(rig: Rig) -> None:
    recorded(rig, status=judged(0))
    waits = recorded(rig, status=judged(1))
    assert not waits.written
    assert waits.due == rig.time + NUMBERS_AFTER
    assert recorded(rig, status=judged(2, "Fail")).written
    assert rig.release().status.verdict == judged(2, "Fail").verdict


def test_numbers_alone_are_written_when_they_have_waited(rig: Rig) -> None:
    recorded(rig, status=judged(0))
    for seconds in range(4):
        recorded(rig, status=judged(seconds))
        rig.pass_time(1)
    assert rig.release().status.verdict == judged(3).verdict


def test_words_alone_are_written_when_they_still_hold_after_a_moment(rig: Rig) -> None:
    recorded(rig)
    words = STATUS.model_copy(update={"message": "1 of 2 pods"})
    waits = recorded(rig, status=words)
    assert not waits.written
    assert waits.due == rig.time + WORDS_AFTER
    rig.pass_time(WORDS_AFTER.total_seconds())
    assert recorded(rig, status=words).written
    assert rig.release().status.message == "1 of 2 pods"


def test_words_do_not_wait_when_something_lasting_changes(rig: Rig) -> None:
    recorded(rig)
    moved = STATUS.model_copy(update={"message": "held", "marks": {"weight": START}})
    assert recorded(rig, status=moved).written


def test_after_another_write_words_wait_for_the_pass_that_follows(rig: Rig) -> None:
    recorded(rig)
    words = STATUS.model_copy(update={"message": "pausing"})
    recorded(rig, status=words)
    rig.pass_time(10)
    assert not recorded(rig, PauseTarget(), status=words).written


def test_a_release_that_is_gone_meanwhile_is_no_failure(rig: Rig) -> None:
    before = raw(rig)
    objects = rig.reconciler.observer.objects(KEY, before)
    outcome = execute((), objects, rig.writer)
    rig.simulated.apply(Delete(Kind.RELEASE, SPACE, "web-v2"))
    assert not rig.record.write(before, Plan((), STATUS, ()), outcome).written
