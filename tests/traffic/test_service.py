"""A Service is narrowed to one hash in one write, and given back key by key."""

import json
from typing import Any

from rollout.resources.words import LATCH, POD_TEMPLATE_HASH, RESTORE
from rollout.resources.writes import Create, Kind, Object, Patch, PatchType, Write
from rollout.simulate import SimulatedCluster
from rollout.simulate.world import START
from rollout.traffic.router import Settings, Split, Steered
from rollout.traffic.service import FIELD, ServiceRouter, pinned
from tests import build


def select(service: Object, hash_: str, *, latch: str | None = None) -> Patch | None:
    writes = ServiceRouter(Settings("")).patches(Steered(service), Split(hash_, latch=latch))
    return one(writes)


def restore(service: Object, hashes: set[str]) -> Patch | None:
    return one(ServiceRouter(Settings("", hashes=hashes)).restore(Steered(service)))


def one(writes: tuple[Write, ...]) -> Patch | None:
    for write in writes:
        assert isinstance(write, Patch)
        return write
    return None


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


def test_a_note_that_was_lost_is_written_from_what_the_release_knows() -> None:
    server = Server()
    server.user(**{POD_TEMPLATE_HASH: "abc"})
    saved = {"web": {FIELD: None}}
    router = ServiceRouter(Settings("", hashes={"abc", "def"}, saved=saved))
    server.apply(one(router.patches(Steered(server.service()), Split("def"))))
    assert json.loads(server.service()["metadata"]["annotations"][RESTORE]) == {FIELD: None}


def test_a_hash_of_ours_is_never_taken_for_the_users_own() -> None:
    server = Server()
    server.user(**{POD_TEMPLATE_HASH: "abc"})
    router = ServiceRouter(Settings("", hashes={"abc", "def"}))
    server.apply(one(router.patches(Steered(server.service()), Split("def"))))
    server.apply(one(router.restore(Steered(server.service()))))
    assert pinned(server.service()) is None


def test_a_note_that_was_lost_does_not_keep_the_selector_narrowed() -> None:
    server = Server()
    server.user(**{POD_TEMPLATE_HASH: "abc"})
    router = ServiceRouter(Settings("", hashes={"abc"}, saved={"web": {FIELD: None}}))
    server.apply(one(router.restore(Steered(server.service()))))
    assert pinned(server.service()) is None
