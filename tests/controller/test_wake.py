"""Who is woken by what."""

from dataclasses import dataclass, field
from typing import Any

from rollout.controller.queue import Key, Lane
from rollout.controller.wake import Waker
from rollout.kube.cache import Change, ChangeType
from rollout.resources.words import EPOCH
from rollout.resources.writes import Delete, Kind, Object

WEB, API, IDLE = Key("shop", "web"), Key("shop", "api"), Key("shop", "idle")


@dataclass
class Queue:
    added: list[tuple[Key, bool]] = field(default_factory=list)

    def add(self, key: Key, lane: Lane = Lane.ORDINARY) -> None:
        self.added.append((key, lane is Lane.URGENT))


@dataclass
class Known:
    objects: dict[Kind, list[Object]]

    def list(self, kind: Kind, namespace: str | None) -> tuple[Object, ...]:
        found = self.objects.get(kind, [])
        return tuple(o for o in found if namespace in {None, o["metadata"]["namespace"]})

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        found = self.list(kind, namespace)
        return next((o for o in found if o["metadata"]["name"] == name), None)

    def readable(self, kind: Kind) -> bool:
        return kind in self.objects

    def updated(self, answer: Object) -> None:
        self.objects.setdefault(Kind.RELEASE, []).append(answer)

    def deleted(self, write: Delete) -> None:
        raise AssertionError(f"nothing is deleted here: {write}")


def thing(name: str, *, spec: Any = None, status: Any = None, **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "shop", "name": name, "uid": name, **metadata},
        "spec": spec or {},
        "status": status or {},
    }


def rollout(name: str) -> dict[str, Any]:
    return thing(name, spec={"target": {"deployment": name}})


def release(name: str, of: str, phase: str = "Progressing", **spec: Any) -> dict[str, Any]:
    return thing(name, spec={"rollout": of, **spec}, status={"phase": phase})


def pod(name: str, *, ready: bool, **metadata: Any) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": str(ready)}]
    return thing(name, status={"phase": "Running", "conditions": conditions}, **metadata)


VIEW = Known(
    {
        Kind.ROLLOUT: [rollout("web"), rollout("api"), rollout("idle")],
        Kind.RELEASE: [
            release("web-2", "web"),
            release("api-2", "api", "Paused"),
            release("idle-1", "idle", "Succeeded"),
        ],
    }
)


def woken(kind: Kind, old: Object | None, new: Object | None) -> list[tuple[Key, bool]]:
    shown = new or old or {}
    queue = Queue()
    type_ = ChangeType.MODIFIED if old and new else ChangeType.ADDED
    change = Change(kind, type_, "shop", str(shown["metadata"]["name"]), old, new)
    Waker(VIEW, queue)(change)
    return sorted(queue.added)


def keys(kind: Kind, old: Object | None, new: Object | None) -> list[Key]:
    return [key for key, _ in woken(kind, old, new)]


def test_the_stamp_of_a_leader_wakes_nobody() -> None:
    before = thing("web", annotations={"a": "b"})
    for kind in (Kind.SERVICE, Kind.RELEASE, Kind.ROLLOUT):
        after = thing("web", annotations={"a": "b", EPOCH: "2/another"})
        assert woken(kind, before, after) == []
    assert woken(Kind.SERVICE, before, thing("web", annotations={"a": "c"})) != []


def test_a_new_release_is_urgent() -> None:
    assert woken(Kind.RELEASE, None, release("web-3", "web", "Pending")) == [(WEB, True)]


def test_an_action_of_a_person_is_urgent() -> None:
    old, new = release("web-2", "web"), release("web-2", "web", action={"id": "1"})
    assert woken(Kind.RELEASE, old, new) == [(WEB, True)]


def test_a_deletion_is_urgent() -> None:
    old = release("web-2", "web")
    new = {**old, "metadata": {**old["metadata"], "deletionTimestamp": "now"}}
    assert woken(Kind.RELEASE, old, new) == [(WEB, True)]


def test_our_own_status_wakes_nobody() -> None:
    old, new = release("web-2", "web", "Preparing"), release("web-2", "web", "Progressing")
    assert keys(Kind.RELEASE, old, new) == []
    was = rollout("web")
    assert keys(Kind.ROLLOUT, was, {**was, "status": {"activeRelease": "web-2"}}) == []


def test_a_finished_release_that_is_seen_for_the_first_time_is_not_urgent() -> None:
    assert woken(Kind.RELEASE, None, release("web-1", "web", "Succeeded")) == [(WEB, False)]


def test_a_rollout_concerns_all_of_its_namespace_for_two_may_want_the_same() -> None:
    assert keys(Kind.ROLLOUT, rollout("new"), None) == [API, IDLE, Key("shop", "new"), WEB]


def test_services_and_ingresses_may_concern_anybody() -> None:
    for kind in (Kind.SERVICE, Kind.INGRESS, Kind.ROLLOUT_POLICY):
        assert keys(kind, thing("x"), thing("x", spec={"a": 1})) == [API, IDLE, WEB]
        assert keys(kind, thing("x"), thing("x", status={"loadBalancer": {}})) == []


def test_a_pod_wakes_the_release_of_its_own_deployment_alone() -> None:
    assert keys(Kind.POD, None, pod("web-abc-1", ready=False)) == [WEB]
    assert keys(Kind.POD, None, pod("web-candidate-abc-1", ready=False)) == [WEB]
    assert keys(Kind.POD, None, pod("other-abc-1", ready=False)) == []
    assert keys(Kind.POD, None, pod("idle-abc-1", ready=False)) == []


def test_a_pod_wakes_when_its_readiness_changes_and_not_at_its_heartbeat() -> None:
    old = pod("web-abc-1", ready=False)
    assert keys(Kind.POD, old, pod("web-abc-1", ready=True)) == [WEB]
    assert keys(Kind.POD, old, pod("web-abc-1", ready=False, resourceVersion="9")) == []
    assert keys(Kind.POD, old, pod("web-abc-1", ready=False, deletionTimestamp="now")) == [WEB]


def test_the_status_of_a_deployment_matters_only_while_a_release_runs() -> None:
    for name, woken_ in (("web", [WEB]), ("web-candidate", [WEB]), ("idle", []), ("other", [])):
        assert keys(Kind.DEPLOYMENT, thing(name), thing(name, status={"replicas": 3})) == woken_


def test_an_edit_of_an_idle_deployment_wakes_its_rollout() -> None:
    assert keys(Kind.DEPLOYMENT, thing("idle"), thing("idle", spec={"replicas": 3})) == [IDLE]


def test_a_release_whose_rollout_is_gone_is_woken_by_every_workload() -> None:
    view = Known({Kind.RELEASE: [release("lost-2", "lost")], Kind.ROLLOUT: []})
    queue = Queue()
    new = thing("anything")
    Waker(view, queue)(Change(Kind.REPLICA_SET, ChangeType.ADDED, "shop", "anything", None, new))
    assert queue.added == [(Key("shop", "lost"), False)]


def test_all_wakes_every_rollout_once_and_those_that_only_a_release_names() -> None:
    queue = Queue()
    objects = {**VIEW.objects, Kind.RELEASE: [*VIEW.objects[Kind.RELEASE], release("l", "lost")]}
    Waker(Known(objects), queue).all()
    assert [key for key, _ in queue.added] == [API, IDLE, Key("shop", "lost"), WEB]
