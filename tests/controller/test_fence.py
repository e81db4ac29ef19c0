"""What a new leader writes before its first plan, and what it does not."""

from dataclasses import replace
from typing import Any

import pytest

from rollout.controller.fence import Fence
from rollout.controller.reconcile import Result
from rollout.controller.writer import LeaseLostError
from rollout.kube.errors import Conflict, Forbidden, TooManyRequests
from rollout.resources.release import Phase
from rollout.resources.words import EPOCH
from rollout.resources.writes import Kind, Object, Patch, Write
from tests import build
from tests.controller.rig import KEY, SPACE, Rig
from tests.controller.test_reconcile import passing


def at_a_step(rig: Rig) -> bool:
    return rig.release().status.weight.applied == 20


@pytest.fixture
def rig() -> Rig:
    """A release under way, and a leader that has only just begun."""
    rig = Rig(build.shop())
    rig.ears.says = passing
    rig.run(at_a_step)
    lead(rig, "2/another")
    return rig


def lead(rig: Rig, epoch: str) -> None:
    """Have another process lead: it remembers nothing."""
    rig.epoch = epoch
    rig.reconciler = replace(rig.reconciler, fence=Fence(rig.writer, lambda: rig.epoch))
    rig.cluster.sent.clear()


def stamped(rig: Rig) -> list[str]:
    """What was stamped, in order."""
    return [f"{w.kind.value.plural}/{w.name}" for w in rig.cluster.sent if is_stamp(w)]


def is_stamp(write: Write) -> bool:
    return isinstance(write, Patch) and EPOCH in str(write.body) and "resourceVersion" in str(write)


def notes(obj: Object) -> dict[str, Any]:
    return dict(obj["metadata"].get("annotations") or {})


def test_a_release_that_begins_and_ends_under_one_leader_costs_no_stamp() -> None:
    rig = Rig(build.shop())
    rig.ears.says = passing
    rig.run(lambda rig: rig.release().status.phase.ended)
    assert rig.release().status.phase is Phase.SUCCEEDED
    assert stamped(rig) == []


def test_everything_is_stamped_before_anything_is_decided(rig: Rig) -> None:
    rig.reconciler.reconcile(KEY)
    everything = [
        "releases/web-v2",
        "services/web",
        "ingresses/web-candidate",
        "services/web-candidate",
        "deployments/web-candidate",
        "deployments/web",
        "rollouts/web",
    ]
    assert stamped(rig) == everything
    assert list(map(is_stamp, rig.cluster.sent[:7])) == [True] * 7


def test_a_leader_stamps_once(rig: Rig) -> None:
    rig.reconciler.reconcile(KEY)
    rig.cluster.sent.clear()
    rig.run(lambda rig: rig.release().status.phase.ended)
    removed = [w for w in rig.cluster.sent if is_stamp(w)]
    assert all(f"'{EPOCH}': None" in str(write) for write in removed)


def test_after_a_takeover_nothing_is_left_on_what_is_the_users(rig: Rig) -> None:
    rig.run(lambda rig: rig.release().status.phase.ended)
    for kind in (Kind.SERVICE, Kind.DEPLOYMENT, Kind.INGRESS, Kind.ROLLOUT):
        for obj in rig.simulated.list(kind, SPACE).items:
            assert EPOCH not in notes(obj), obj["metadata"]["name"]


def test_where_somebody_was_faster_nothing_is_planned_and_the_rest_is_stamped_later(
    rig: Rig,
) -> None:
    def late(write: Write) -> None:
        if write.kind is Kind.INGRESS:
            raise Conflict("the object has been modified")

    rig.cluster.before = late
    status = rig.release().status
    assert rig.reconciler.reconcile(KEY).contested
    assert stamped(rig) == ["releases/web-v2", "services/web"]
    assert rig.release().status == status
    rig.cluster.before = lambda _: None
    rig.reconciler.reconcile(KEY)
    assert len(stamped(rig)) == 7


def test_a_stamp_that_the_server_will_not_have_keeps_nobody_from_going_back(rig: Rig) -> None:
    def refuse(write: Write) -> None:
        if write.kind is Kind.DEPLOYMENT and is_stamp(write):
            raise Forbidden("Deployments are changed by Git alone")

    rig.cluster.before = refuse
    action = {"id": "a", "type": "rollback", "by": "ana", "at": "2026-01-01T12:00:00Z"}
    rig.patch(Kind.RELEASE, "web-v2", {"spec": {"action": action}})
    rig.reconciler.reconcile(KEY)
    assert rig.release().status.phase is Phase.ROLLING_BACK
    route = rig.simulated.get(Kind.INGRESS, SPACE, "web-candidate")
    assert notes(route)["nginx.ingress.kubernetes.io/canary-weight"] == "0"
    rig.cluster.before = lambda _: None
    rig.reconciler.reconcile(KEY)
    assert stamped(rig)[-2:] == ["deployments/web-candidate", "deployments/web"]


def test_a_throttled_stamp_waits_as_long_as_the_server_asks(rig: Rig) -> None:
    def throttle(_: Write) -> None:
        raise TooManyRequests("slow down", retry_after=7)

    rig.cluster.before = throttle
    result = rig.reconciler.reconcile(KEY)
    assert isinstance(result.error, TooManyRequests)
    assert rig.cluster.sent == []


def test_without_the_lease_nothing_is_stamped(rig: Rig) -> None:
    rig.lead.questions = 0
    with pytest.raises(LeaseLostError):
        rig.reconciler.reconcile(KEY)
    assert rig.cluster.sent == []


def test_a_release_is_ours_from_our_first_write_on_also_when_the_next_one_fails() -> None:
    rig = Rig(build.shop())

    def fail(write: Write) -> None:
        if write.kind is Kind.ROLLOUT:
            raise Conflict("somebody was faster")

    rig.cluster.before = fail
    assert rig.reconciler.reconcile(KEY).contested
    rig.cluster.before = lambda _: None
    assert rig.reconciler.reconcile(KEY) != Result()
    assert stamped(rig) == []


def test_what_is_gone_is_forgotten(rig: Rig) -> None:
    rig.reconciler.reconcile(KEY)
    fence = rig.reconciler.fence
    fence.keep({"another"})
    rig.cluster.sent.clear()
    rig.epoch = "3/another"
    rig.reconciler.reconcile(KEY)
    assert len(stamped(rig)) == 7
