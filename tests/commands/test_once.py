"""The same request twice is done once, whoever answers the second time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from rollout.commands.actions import ask, new_action
from rollout.commands.once import REMEMBERED, Once, answers_on, once
from rollout.commands.refusal import (
    CommandRefusedError,
    KeyReusedError,
    NotThereError,
    StaleRevisionError,
)
from rollout.commands.request import Request
from rollout.commands.retry import retry
from rollout.commands.start import start
from rollout.kube.cluster import Cluster, ObjectList
from rollout.kube.errors import AlreadyExists, Forbidden, Unreachable
from rollout.resources.action import ActionType
from rollout.resources.words import ANSWERS
from rollout.resources.writes import Create, Delete, Kind, Object, Patch, PatchType, Write
from rollout.simulate.cluster import OUR_KINDS, SimulatedCluster
from tests import build

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SPACE = "default"


@dataclass
class Between:
    """A cluster with something that happens before or after its writes."""

    cluster: Cluster
    before: Callable[[Write], None] = lambda _: None
    after: Callable[[Write], None] = lambda _: None
    writes: list[Write] = field(default_factory=list)

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        return self.cluster.get(kind, namespace, name)

    def list(
        self, kind: Kind, namespace: str | None = None, label_selector: str = ""
    ) -> ObjectList:
        return self.cluster.list(kind, namespace, label_selector)

    def apply(self, write: Write) -> Object:
        self.before(write)
        answer = self.cluster.apply(write)
        self.writes.append(write)
        self.after(write)
        return answer


@pytest.fixture
def cluster() -> Between:
    simulated = SimulatedCluster(lambda: NOW, namespaces=(SPACE,), custom_kinds=OUR_KINDS)
    kinds = {kind.value.kind: kind for kind in Kind}
    for body in build.shop()[:-1]:
        simulated.apply(Create(kinds[body["kind"]], SPACE, body))
    return Between(simulated)


def key(text: str = "k-1", by: str = "ana", **asked: Any) -> Once:
    return once(text, by, SPACE, asked)


def say(cluster: Cluster, name: str, phase: str) -> None:
    body = {"status": {"phase": phase}}
    cluster.apply(Patch(Kind.RELEASE, SPACE, name, PatchType.MERGE, body, "status"))


def releases(cluster: Cluster) -> list[Object]:
    return list(cluster.list(Kind.RELEASE, SPACE).items)


def test_a_start_under_the_same_key_makes_one_release(cluster: Between) -> None:
    first = start(cluster, SPACE, Request("v2"), once=key(version="v2"))
    again = start(cluster, SPACE, Request("v2"), once=key(version="v2"))
    assert again.release["metadata"]["uid"] == first.release["metadata"]["uid"]
    assert len(releases(cluster)) == 1


def test_the_answer_is_the_same_though_a_rollout_was_made_the_first_time(cluster: Between) -> None:
    cluster.cluster.apply(_gone(cluster, "web"))
    first = start(cluster, SPACE, Request("v2"), once=key())
    assert any("had no Rollout" in line for line in first.assumed)
    say(cluster, first.release["metadata"]["name"], "Succeeded")
    assert start(cluster, SPACE, Request("v2"), once=key()).assumed == first.assumed


def _gone(cluster: Between, name: str) -> Write:
    uid = cluster.get(Kind.ROLLOUT, SPACE, name)["metadata"]["uid"]
    return Delete(Kind.ROLLOUT, SPACE, name, uid=uid)


def test_another_request_under_the_same_key_is_refused(cluster: Between) -> None:
    start(cluster, SPACE, Request("v2"), once=key(version="v2"))
    with pytest.raises(KeyReusedError, match="used for another request"):
        start(cluster, SPACE, Request("v3"), once=key(version="v3"))
    assert len(releases(cluster)) == 1


def test_keys_of_two_people_do_not_meet(cluster: Between) -> None:
    first = start(cluster, SPACE, Request("v2"), once=key(by="ana"))
    say(cluster, first.release["metadata"]["name"], "RolledBack")
    second = start(cluster, SPACE, Request("v2"), once=key(by="bob"))
    assert first.release["metadata"]["uid"] != second.release["metadata"]["uid"]


def test_a_start_whose_answer_was_lost_is_found_again(cluster: Between) -> None:
    def lose(_: Write) -> None:
        cluster.after = lambda _: None
        raise Unreachable("the answer was lost")

    cluster.after = lose
    with pytest.raises(Unreachable):
        start(cluster, SPACE, Request("v2"), once=key())
    again = start(cluster, SPACE, Request("v2"), once=key())
    assert [again.release["metadata"]["uid"]] == [r["metadata"]["uid"] for r in releases(cluster)]


def test_a_first_start_whose_answer_was_lost_keeps_its_rollout(cluster: Between) -> None:
    """Without it the release that is there would be cancelled, and the answer would be untrue."""
    cluster.cluster.apply(Delete(Kind.ROLLOUT, SPACE, "web"))

    def lose(write: Write) -> None:
        if write.kind is Kind.RELEASE:
            cluster.after = lambda _: None
            raise Unreachable("the answer was lost")

    cluster.after = lose
    asked = Request("v2", deployment="web")
    with pytest.raises(Unreachable):
        start(cluster, SPACE, asked, once=key())
    again = start(cluster, SPACE, asked, once=key())
    assert [again.release["metadata"]["uid"]] == [r["metadata"]["uid"] for r in releases(cluster)]
    assert len(cluster.list(Kind.ROLLOUT, SPACE).items) == 1


def test_a_first_start_that_is_refused_leaves_no_rollout(cluster: Between) -> None:
    cluster.cluster.apply(Delete(Kind.ROLLOUT, SPACE, "web"))

    def refuse(write: Write) -> None:
        if isinstance(write, Create) and write.kind is Kind.RELEASE:
            raise Forbidden("you may not")

    cluster.before = refuse
    with pytest.raises(Forbidden):
        start(cluster, SPACE, Request("v2", deployment="web"))
    assert cluster.list(Kind.ROLLOUT, SPACE).items == ()


def act(cluster: Cluster, type_: ActionType, by: str = "ana") -> str:
    (release,) = releases(cluster)
    asked = ask(cluster, SPACE, release["metadata"]["name"], new_action(type_, by, "", NOW))
    return asked.message


def test_a_second_rollback_is_answered_and_writes_nothing(cluster: Between) -> None:
    running(cluster)
    assert "rollback asked for" in act(cluster, ActionType.ROLLBACK)
    written = len(cluster.writes)
    assert "rollback was asked for before by ana" in act(cluster, ActionType.ROLLBACK, "bob")
    assert len(cluster.writes) == written


@pytest.mark.parametrize("first", [ActionType.PAUSE, ActionType.ROLLBACK])
def test_what_was_asked_and_not_carried_out_is_not_overwritten(
    cluster: Between, first: ActionType
) -> None:
    running(cluster)
    act(cluster, first)
    with pytest.raises(CommandRefusedError, match=f"{first} by ana comes first"):
        act(cluster, ActionType.PROMOTE, "bob")
    assert releases(cluster)[0]["spec"]["action"]["type"] == first


def test_the_same_twice_before_it_is_carried_out_is_once(cluster: Between) -> None:
    """A person who presses twice must not promote two steps."""
    running(cluster)
    act(cluster, ActionType.PROMOTE)
    assert "promote was asked for before by ana" in act(cluster, ActionType.PROMOTE)
    assert "promote was asked for before by ana" in act(cluster, ActionType.PROMOTE, "bob")
    assert releases(cluster)[0]["spec"]["action"]["by"] == "ana"


def test_a_rollback_takes_the_place_of_what_was_not_carried_out(cluster: Between) -> None:
    running(cluster)
    act(cluster, ActionType.PROMOTE)
    act(cluster, ActionType.ROLLBACK, "bob")
    assert releases(cluster)[0]["spec"]["action"]["by"] == "bob"


def test_of_two_starts_at_the_same_moment_the_later_finds_the_earlier(cluster: Between) -> None:
    made: list[Object] = []

    def overtake(_: Write) -> None:
        cluster.before = lambda _: None
        made.append(start(cluster.cluster, SPACE, Request("v2"), once=key()).release)

    cluster.before = overtake
    mine = start(cluster, SPACE, Request("v2"), once=key())
    assert mine.release["metadata"]["uid"] == made[0]["metadata"]["uid"]
    assert len(releases(cluster)) == 1


def test_without_a_key_the_same_moment_is_refused(cluster: Between) -> None:
    cluster.before = lambda _: _refuse()
    with pytest.raises(AlreadyExists):
        start(cluster, SPACE, Request("v2"))


def _refuse() -> None:
    raise AlreadyExists("it exists")


def roll_back(cluster: Cluster, name: str, request: Once | None = None, **how: Any) -> Any:
    action = new_action(ActionType.ROLLBACK, "ana", "latency", NOW)
    return ask(cluster, SPACE, name, action, request=request, **how)


def running(cluster: Between) -> str:
    name = str(start(cluster, SPACE, Request("v2")).release["metadata"]["name"])
    say(cluster, name, "Progressing")
    cluster.writes.clear()
    return name


def test_an_action_under_the_same_key_is_written_once(cluster: Between) -> None:
    name = running(cluster)
    first = roll_back(cluster, name, key())
    say(cluster, name, "RolledBack")
    cluster.writes.clear()
    assert roll_back(cluster, name, key()) == first
    assert cluster.writes == []


def test_an_earlier_action_is_known_after_a_later_one(cluster: Between) -> None:
    name = running(cluster)
    pause = new_action(ActionType.PAUSE, "ana", "", NOW)
    first = ask(cluster, SPACE, name, pause, request=key("k-1"))
    roll_back(cluster, name, key("k-2"))
    assert ask(cluster, SPACE, name, pause, request=key("k-1")) == first
    assert cluster.get(Kind.RELEASE, SPACE, name)["spec"]["action"]["type"] == "rollback"


def test_the_memory_of_a_release_is_bounded(cluster: Between) -> None:
    name = running(cluster)
    for number in range(REMEMBERED + 5):
        pause = new_action(ActionType.PAUSE, "ana", "", NOW)
        ask(cluster, SPACE, name, pause, request=key(f"k-{number}"))
    kept = answers_on(cluster.get(Kind.RELEASE, SPACE, name))
    assert len(kept) == REMEMBERED
    assert key(f"k-{REMEMBERED + 4}").id in kept
    assert key("k-0").id not in kept


@pytest.mark.parametrize("spoilt", ["{", "[]", "7", '{"a": 1}'])
def test_a_memory_that_somebody_spoilt_is_no_memory(cluster: Between, spoilt: str) -> None:
    name = running(cluster)
    body = {"metadata": {"annotations": {ANSWERS: spoilt}}}
    cluster.apply(Patch(Kind.RELEASE, SPACE, name, PatchType.MERGE, body))
    assert "asked for" in roll_back(cluster, name, key()).message


def test_a_release_that_changed_since_is_left_alone(cluster: Between) -> None:
    name = running(cluster)
    seen = cluster.get(Kind.RELEASE, SPACE, name)["metadata"]["resourceVersion"]
    say(cluster, name, "Baking")
    cluster.writes.clear()
    with pytest.raises(StaleRevisionError, match=f"changed since revision {seen}") as refused:
        roll_back(cluster, name, expected=seen)
    now = cluster.get(Kind.RELEASE, SPACE, name)["metadata"]["resourceVersion"]
    assert refused.value.current == now
    assert cluster.writes == []
    assert roll_back(cluster, name, expected=now)


def test_a_change_between_look_and_write_is_stale_too(cluster: Between) -> None:
    name = running(cluster)

    def change(_: Write) -> None:
        cluster.before = lambda _: None
        say(cluster.cluster, name, "Baking")

    seen = cluster.get(Kind.RELEASE, SPACE, name)["metadata"]["resourceVersion"]
    cluster.before = change
    with pytest.raises(StaleRevisionError):
        roll_back(cluster, name, expected=seen)
    assert "action" not in cluster.get(Kind.RELEASE, SPACE, name)["spec"]


def test_a_retry_ships_the_same_again(cluster: Between) -> None:
    request = Request("v2", strategy="blue-green", by="ana", reason="first")
    earlier = start(cluster, SPACE, request).release
    say(cluster, earlier["metadata"]["name"], "RolledBack")
    made = retry(cluster, SPACE, earlier["metadata"]["name"], "bob", "fixed the flag").release
    assert made["spec"] == {**earlier["spec"], "by": "bob", "reason": "fixed the flag"}
    assert made["metadata"]["name"] != earlier["metadata"]["name"]


def test_a_retry_under_the_same_key_is_one_release(cluster: Between) -> None:
    name = start(cluster, SPACE, Request("v2")).release["metadata"]["name"]
    say(cluster, name, "RolledBack")
    first = retry(cluster, SPACE, name, "ana", "", once=key())
    again = retry(cluster, SPACE, name, "ana", "", once=key())
    assert again.release["metadata"]["uid"] == first.release["metadata"]["uid"]


def test_a_release_that_still_runs_is_not_retried(cluster: Between) -> None:
    name = running(cluster)
    with pytest.raises(CommandRefusedError, match=f"release {name} is Progressing"):
        retry(cluster, SPACE, name, "ana", "")


def test_a_retry_without_its_rollout_says_what_to_do(cluster: Between) -> None:
    name = start(cluster, SPACE, Request("v2")).release["metadata"]["name"]
    say(cluster, name, "RolledBack")
    cluster.cluster.apply(_gone(cluster, "web"))
    with pytest.raises(NotThereError, match=r"Rollout web of release .* is gone: `rollout start`"):
        retry(cluster, SPACE, name, "ana", "")
