"""A Service is narrowed to one hash in one write, and given back key by key."""

import json
from typing import Any

from rollout.resources.words import LATCH, RESTORE
from rollout.resources.writes import Create, Kind, Object, Patch, PatchType
from rollout.simulate import SimulatedCluster
from rollout.simulate.world import START
from rollout.traffic.service import pinned, restore, select
from tests import build


class Server:
    """A server with the user's Service on it."""

    def __init__(self) -> None:
        self.cluster = SimulatedCluster(lambda: START)
        self.cluster.apply(Create(Kind.SERVICE, "default", build.service()))

    def service(self) -> Object:
        return self.cluster.get(Kind.SERVICE, "default", "web")

    def apply(self, patch: Patch | None) -> None:
        assert patch is not None
        self.cluster.apply(patch)

    def user(self, **selector: Any) -> None:
        own = {**self.service()["spec"]["selector"], **selector}
        body = {"spec": {"selector": own}}
        self.cluster.apply(Patch(Kind.SERVICE, "default", "web", PatchType.MERGE, body))


def test_narrowing_keeps_the_users_keys_and_writes_down_what_was_there() -> None:
    server = Server()
    server.apply(select(server.service(), "abc"))
    found = server.service()
    assert found["spec"]["selector"] == {"app": "web", "pod-template-hash": "abc"}
    note = json.loads(found["metadata"]["annotations"][RESTORE])
    assert note == {"spec.selector.pod-template-hash": None}


def test_the_same_hash_twice_changes_nothing() -> None:
    server = Server()
    server.apply(select(server.service(), "abc", latch="u1"))
    assert select(server.service(), "abc", latch="u1") is None


def test_moving_on_keeps_the_first_note() -> None:
    server = Server()
    server.apply(select(server.service(), "abc"))
    server.apply(select(server.service(), "def"))
    note = json.loads(server.service()["metadata"]["annotations"][RESTORE])
    assert note == {"spec.selector.pod-template-hash": None}
    assert pinned(server.service()) == "def"


def test_restoring_gives_back_exactly_what_was_there() -> None:
    server = Server()
    before = server.service()
    server.apply(select(server.service(), "abc", latch="u1"))
    server.apply(restore(server.service(), {"abc"}))
    after = server.service()
    assert after["spec"] == before["spec"]
    assert not after["metadata"].get("annotations")
    assert restore(after, {"abc"}) is None


def test_a_users_own_edit_stays() -> None:
    server = Server()
    server.apply(select(server.service(), "abc"))
    server.user(tier="front")
    server.apply(restore(server.service(), {"abc"}))
    assert server.service()["spec"]["selector"] == {"app": "web", "tier": "front"}


def test_a_hash_that_is_not_ours_stays() -> None:
    server = Server()
    server.apply(select(server.service(), "abc"))
    server.user(**{"pod-template-hash": "theirs"})
    server.apply(restore(server.service(), {"abc"}))
    found = server.service()
    assert pinned(found) == "theirs"
    assert {RESTORE, LATCH}.isdisjoint(found["metadata"].get("annotations") or {})
