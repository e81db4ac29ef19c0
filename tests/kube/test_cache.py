import random
import threading
from typing import Any

import pytest

from rollout.kube.cache import Cache, ChangeType, newer
from rollout.kube.cluster import EventType, ObjectList, WatchEvent
from rollout.resources.writes import Kind, Object


def service(name: str, version: str, **fields: Any) -> Object:
    metadata = {"name": name, "namespace": "shop", "uid": name, "resourceVersion": version}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, **fields}


def listed(version: str, *items: Object) -> ObjectList:
    return ObjectList(items, version)


def event(kind: EventType, thing: Object) -> WatchEvent:
    return WatchEvent(kind, thing)


def bookmark(version: str) -> WatchEvent:
    return event(EventType.BOOKMARK, {"metadata": {"resourceVersion": version}})


def version_of(cache: Cache, name: str) -> str | None:
    found = cache.get("shop", name)
    return found["metadata"]["resourceVersion"] if found else None


@pytest.fixture
def cache() -> Cache:
    cache = Cache(Kind.SERVICE)
    cache.begin_list()
    cache.replace(listed("10", service("a", "5")))
    return cache


def test_versions_are_compared_as_numbers_and_only_as_numbers() -> None:
    assert newer("10", "9")
    assert not newer("9", "10")
    assert not newer("9", "9")
    assert not newer("z", "a")
    assert not newer("10", "a")
    assert not newer("10", "")


def test_a_list_tells_what_came_changed_and_went(cache: Cache) -> None:
    cache.replace(listed("20", service("a", "5"), service("b", "11")))
    changes = cache.replace(listed("30", service("b", "25"), service("c", "21")))
    told = [(change.type, change.name) for change in changes]
    assert told == [
        (ChangeType.DELETED, "a"),
        (ChangeType.MODIFIED, "b"),
        (ChangeType.ADDED, "c"),
    ]
    assert [thing["metadata"]["name"] for thing in cache.list()] == ["b", "c"]


def test_events_tell_the_object_before_and_after(cache: Cache) -> None:
    new = service("a", "11")
    change = cache.follow(event(EventType.MODIFIED, new))
    assert change is not None
    assert (change.kind, change.type) == (Kind.SERVICE, ChangeType.MODIFIED)
    assert (change.namespace, change.name) == ("shop", "a")
    assert (change.old, change.new) == (service("a", "5"), new)


def test_an_event_that_tells_nothing_new_is_no_change(cache: Cache) -> None:
    assert cache.follow(event(EventType.ADDED, service("a", "5"))) is None
    assert cache.follow(event(EventType.DELETED, service("never-seen", "12"))) is None
    assert cache.follow(bookmark("15")) is None
    assert cache.position == "15"


def test_an_object_made_anew_under_the_same_version_is_a_change(cache: Cache) -> None:
    again = service("a", "5")
    other = {**again, "metadata": {**again["metadata"], "uid": "other"}}
    [change] = cache.replace(listed("10", other))
    assert change.type is ChangeType.MODIFIED


def test_an_own_write_is_shown_at_once_and_told_when_the_watch_tells_it(cache: Cache) -> None:
    cache.updated(service("a", "12"))
    assert version_of(cache, "a") == "12"
    change = cache.follow(event(EventType.MODIFIED, service("a", "12")))
    assert change is not None
    assert change.old == service("a", "5")


def test_older_news_never_hides_an_own_write(cache: Cache) -> None:
    cache.updated(service("a", "14"))
    cache.follow(event(EventType.MODIFIED, service("a", "12")))
    assert version_of(cache, "a") == "14"
    cache.follow(event(EventType.DELETED, service("a", "13")))
    assert version_of(cache, "a") == "14"
    cache.follow(event(EventType.MODIFIED, service("a", "16")))
    assert version_of(cache, "a") == "16"


def test_an_answer_that_comes_after_the_watch_has_passed_it_is_left_out(cache: Cache) -> None:
    cache.follow(event(EventType.MODIFIED, service("a", "12")))
    cache.follow(event(EventType.DELETED, service("a", "13")))
    cache.updated(service("a", "12"))
    assert version_of(cache, "a") is None


def test_an_own_write_that_was_deleted_since_is_not_shown_for_ever(cache: Cache) -> None:
    cache.updated(service("new", "12"))
    cache.follow(event(EventType.ADDED, service("new", "12")))
    cache.follow(event(EventType.DELETED, service("new", "13")))
    assert version_of(cache, "new") is None
    cache.updated(service("other", "15"))
    cache.follow(bookmark("20"))
    assert version_of(cache, "other") is None


def test_an_older_answer_does_not_hide_a_later_one(cache: Cache) -> None:
    cache.updated(service("a", "14"))
    cache.updated(service("a", "12"))
    assert version_of(cache, "a") == "14"


def test_a_write_before_the_list_is_in_the_list(cache: Cache) -> None:
    cache.updated(service("a", "1000"))
    cache.begin_list()
    cache.replace(listed("3", service("a", "2")))
    assert version_of(cache, "a") == "2"  # the server came back with an older state


def test_a_write_during_the_list_may_be_missing_from_it(cache: Cache) -> None:
    cache.begin_list()
    cache.updated(service("a", "21"))
    cache.updated(service("new", "22"))
    cache.replace(listed("20", service("a", "5")))
    assert (version_of(cache, "a"), version_of(cache, "new")) == ("21", "22")
    cache.follow(event(EventType.MODIFIED, service("a", "21")))
    change = cache.follow(event(EventType.ADDED, service("new", "22")))
    assert change is not None
    assert change.type is ChangeType.ADDED


def test_with_opaque_versions_the_cache_is_what_the_watch_tells() -> None:
    cache = Cache(Kind.SERVICE)
    cache.replace(listed("x", service("a", "p")))
    cache.updated(service("a", "q"))
    assert version_of(cache, "a") == "p"
    cache.follow(event(EventType.MODIFIED, service("a", "o")))
    assert version_of(cache, "a") == "o"


def test_the_answer_to_a_delete_is_not_taken_for_an_object(cache: Cache) -> None:
    cache.updated({"kind": "Status", "status": "Success", "metadata": {}})
    assert [thing["metadata"]["name"] for thing in cache.list()] == ["a"]


def test_an_own_delete_hides_at_once_and_is_told_when_the_watch_tells_it(cache: Cache) -> None:
    cache.deleted("shop", "a", "a")
    assert cache.get("shop", "a") is None
    assert cache.list() == ()
    change = cache.follow(event(EventType.DELETED, service("a", "12")))
    assert change is not None
    assert (change.type, change.name) == (ChangeType.DELETED, "a")


def test_older_news_never_bring_back_what_we_have_deleted(cache: Cache) -> None:
    cache.updated(service("a", "11"))
    cache.deleted("shop", "a", "a")
    cache.follow(event(EventType.MODIFIED, service("a", "11")))
    cache.updated(service("a", "11"))
    assert cache.list() == ()


def test_an_object_made_anew_after_an_own_delete_is_shown(cache: Cache) -> None:
    cache.deleted("shop", "a", "a")
    other = service("a", "13")
    other["metadata"]["uid"] = "another"
    cache.updated(other)
    assert version_of(cache, "a") == "13"
    cache.follow(event(EventType.DELETED, service("a", "12")))
    cache.follow(event(EventType.ADDED, other))
    assert version_of(cache, "a") == "13"


def test_a_delete_that_the_watch_has_passed_hides_nothing_later(cache: Cache) -> None:
    cache.follow(event(EventType.DELETED, service("a", "12")))
    cache.deleted("shop", "a", "a")
    cache.follow(event(EventType.ADDED, service("a", "13")))
    assert version_of(cache, "a") == "13"


def test_a_delete_before_the_list_is_in_the_list(cache: Cache) -> None:
    """The list has it: the server kept it after all, as one with a finalizer."""
    cache.deleted("shop", "a", "a")
    cache.begin_list()
    cache.replace(listed("20", service("a", "12")))
    assert version_of(cache, "a") == "12"


def test_a_delete_during_the_list_may_be_missing_from_it(cache: Cache) -> None:
    cache.begin_list()
    cache.deleted("shop", "a", "a")
    cache.replace(listed("11", service("a", "5")))
    assert cache.list() == ()
    cache.follow(event(EventType.DELETED, service("a", "12")))
    assert cache.list() == ()


@pytest.mark.parametrize(("kind", "kept"), [(Kind.SERVICE, False), (Kind.DEPLOYMENT, True)])
def test_who_wrote_which_field_is_kept_where_it_is_asked_for(*, kind: Kind, kept: bool) -> None:
    def noted(name: str, version: str) -> Object:
        plain = service(name, version)
        metadata = {**plain["metadata"], "managedFields": [{"manager": "kubectl"}]}
        return {**plain, "kind": kind.value.kind, "metadata": metadata}

    cache = Cache(kind)
    cache.begin_list()
    cache.replace(listed("10", noted("a", "5")))
    cache.follow(event(EventType.ADDED, noted("b", "11")))
    cache.updated(noted("c", "12"))
    assert len(cache.list()) == 3
    assert ["managedFields" in thing["metadata"] for thing in cache.list()] == [kept] * 3


def test_lists_are_by_namespace_and_in_order(cache: Cache) -> None:
    other = service("z", "7")
    elsewhere = {**other, "metadata": {**other["metadata"], "namespace": "bank"}}
    cache.replace(listed("10", service("c", "1"), elsewhere, service("b", "2")))
    cache.updated(service("a", "11"))
    names = [thing["metadata"]["name"] for thing in cache.list()]
    assert names == ["z", "a", "b", "c"]
    assert [thing["metadata"]["name"] for thing in cache.list("shop")] == ["a", "b", "c"]


def test_whatever_the_order_of_answers_and_news_the_end_is_the_server_s() -> None:
    """Own answers arrive anywhere among the watch's news; after the last one all agree."""
    chance = random.Random(7)  # noqa: S311 - a repeatable test
    for _ in range(300):
        history = _history(chance)
        cache = Cache(Kind.SERVICE)
        cache.begin_list()
        cache.replace(listed("0"))
        late = [(e, chance.randint(0, len(history))) for e in history]
        for moment, news in enumerate(history):
            for answer, at in late:
                if at == moment and answer.type is not EventType.DELETED:
                    cache.updated(answer.object)
            cache.follow(news)
        for answer, at in late:
            if at == len(history) and answer.type is not EventType.DELETED:
                cache.updated(answer.object)
        expected = {e.object["metadata"]["name"]: e for e in history}
        alive = {n for n, e in expected.items() if e.type is not EventType.DELETED}
        assert {thing["metadata"]["name"] for thing in cache.list()} == alive
        for name in alive:
            assert version_of(cache, name) == expected[name].object["metadata"]["resourceVersion"]


def _history(chance: random.Random) -> list[WatchEvent]:
    alive: set[str] = set()
    events = []
    for version in range(1, 12):
        name = chance.choice("ab")
        if name in alive and chance.random() < 0.4:
            alive.discard(name)
            kind = EventType.DELETED
        else:
            kind = EventType.MODIFIED if name in alive else EventType.ADDED
            alive.add(name)
        events.append(event(kind, service(name, str(version))))
    return events


def test_threads_may_read_and_write_at_once(cache: Cache) -> None:
    stop = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while not stop.is_set():
                cache.list()
                cache.get("shop", "a")
        except BaseException as error:  # noqa: BLE001 - reported to the test below
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for version in range(11, 1500):
        cache.updated(service(f"own-{version % 7}", str(version)))
        cache.follow(event(EventType.MODIFIED, service(f"s{version % 9}", str(version))))
    stop.set()
    for thread in threads:
        thread.join(5)
    assert failures == []
