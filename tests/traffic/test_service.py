"""A Service is narrowed to one hash in one write, and given back key by key."""

import json
from typing import Any

import pytest

from rollout.resources.words import (
    FLUX_DISABLED,
    FLUX_NAME,
    FLUX_NAMESPACE,
    FLUX_RECONCILE,
    LATCH,
    POD_TEMPLATE_HASH,
    RESTORE,
)
from rollout.resources.writes import Create, Kind, Object, Patch, PatchType, Write
from rollout.simulate import SimulatedCluster
from rollout.simulate.world import START
from rollout.traffic.router import Settings, Split, Steered
from rollout.traffic.service import FIELD, LEFT_ALONE, ServiceRouter, pinned
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


def said(patch: Patch | None) -> tuple[Any, Any]:
    """What one patch says of the selector, and to Flux."""
    assert patch is not None
    assert isinstance(patch.body, dict)
    return patch.body["spec"]["selector"], patch.body["metadata"]["annotations"][FLUX_RECONCILE]


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

    def annotate(self, **notes: str | None) -> None:
        body = {"metadata": {"annotations": {FLUX_RECONCILE: None, **notes}}}
        self.cluster.apply(Patch(Kind.SERVICE, "default", "web", PatchType.MERGE, body))

    def flux(self) -> None:
        """Have Flux put its labels on the Service."""
        body = {"metadata": {"labels": {FLUX_NAME: "shop", FLUX_NAMESPACE: "flux-system"}}}
        self.cluster.apply(Patch(Kind.SERVICE, "default", "web", PatchType.MERGE, body))

    def word(self) -> str | None:
        """What the Service says to Flux."""
        found: str | None = (self.service()["metadata"].get("annotations") or {}).get(
            FLUX_RECONCILE
        )
        return found

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


def test_flux_is_told_in_the_patch_that_narrows_and_in_the_one_that_restores() -> None:
    server = Server()
    server.flux()
    narrowed = select(server.service(), "abc")
    assert said(narrowed) == ({POD_TEMPLATE_HASH: "abc"}, FLUX_DISABLED)
    server.apply(narrowed)
    note = json.loads(server.service()["metadata"]["annotations"][RESTORE])
    assert note == {FIELD: None, LEFT_ALONE: None}
    restored = restore(server.service(), {"abc"})
    assert said(restored) == ({POD_TEMPLATE_HASH: None}, None)
    server.apply(restored)
    assert server.word() is None


def test_flux_is_not_mentioned_to_a_service_that_it_has_not_applied() -> None:
    server = Server()
    server.apply(select(server.service(), "abc"))
    assert server.word() is None


@pytest.mark.parametrize("own", ["enabled", FLUX_DISABLED])
def test_what_the_user_has_told_flux_comes_back(own: str) -> None:
    server = Server()
    server.flux()
    server.annotate(**{FLUX_RECONCILE: own})
    server.apply(select(server.service(), "abc"))
    assert server.word() == FLUX_DISABLED
    server.apply(restore(server.service(), {"abc"}))
    assert server.word() == own


def test_what_the_user_tells_flux_meanwhile_stays() -> None:
    server = Server()
    server.flux()
    server.apply(select(server.service(), "abc"))
    server.annotate(**{FLUX_RECONCILE: "enabled"})
    server.apply(restore(server.service(), {"abc"}))
    assert server.word() == "enabled"


def test_a_note_of_before_flux_came_learns_what_was_said_to_it() -> None:
    server = Server()
    server.apply(select(server.service(), "abc"))
    server.flux()
    server.apply(select(server.service(), "def"))
    assert server.word() == FLUX_DISABLED
    server.apply(restore(server.service(), {"abc", "def"}))
    assert server.word() is None
    assert pinned(server.service()) is None


def test_a_note_that_was_lost_does_not_keep_flux_away() -> None:
    server = Server()
    server.flux()
    server.annotate(**{FLUX_RECONCILE: FLUX_DISABLED})
    server.user(**{POD_TEMPLATE_HASH: "abc"})
    router = ServiceRouter(Settings("", hashes={"abc"}, saved={"web": {}}))
    server.apply(one(router.restore(Steered(server.service()))))
    assert server.word() is None
