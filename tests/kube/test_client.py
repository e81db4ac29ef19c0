import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import MappingProxyType

import pytest

import rollout
from rollout.kube.client import HttpCluster
from rollout.kube.errors import (
    AlreadyExists,
    ClusterError,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Refused,
    ServerFault,
    TooManyRequests,
    Unauthorized,
    Unreachable,
)
from rollout.resources.writes import Create, Delete, Kind, Object, Patch, PatchType
from tests.kube import faulty
from tests.kube.faulty import FaultyServer

SERVICES = "/api/v1/namespaces/shop/services"
SHOP = f"{SERVICES}/checkout"


def read(cluster: HttpCluster) -> None:
    cluster.get(Kind.SERVICE, "shop", "checkout")


def read_all(cluster: HttpCluster) -> None:
    cluster.list(Kind.SERVICE, "shop")


def follow(cluster: HttpCluster) -> None:
    list(cluster.watch(Kind.SERVICE, "shop", "1", 5))


def create(cluster: HttpCluster) -> None:
    cluster.apply(Create(Kind.SERVICE, "shop", {"metadata": {"name": "checkout"}}))


def patch(cluster: HttpCluster) -> None:
    cluster.apply(Patch(Kind.SERVICE, "shop", "checkout", PatchType.MERGE, {"spec": {}}))


def delete(cluster: HttpCluster) -> None:
    cluster.apply(Delete(Kind.SERVICE, "shop", "checkout"))


CALLS = {
    "get": read,
    "list": read_all,
    "watch": follow,
    "create": create,
    "patch": patch,
    "delete": delete,
}


@pytest.mark.parametrize("verb", CALLS)
@pytest.mark.parametrize(
    ("status", "branch"),
    [
        (400, Refused),
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (410, Gone),
        (422, Invalid),
        (429, TooManyRequests),
        (500, ServerFault),
        (503, ServerFault),
    ],
)
def test_every_refusal_of_every_verb_is_sent_once_and_told_in_our_words(
    server: FaultyServer, cluster: HttpCluster, verb: str, status: int, branch: type[Refused]
) -> None:
    server.fault(verb, faulty.says(status, message="no", retry_after=1))
    with pytest.raises(ClusterError) as caught:
        CALLS[verb](cluster)
    assert type(caught.value) is branch
    assert str(caught.value) == "no"
    assert caught.value.__cause__ is not None
    assert server.count(verb) == 1


@pytest.mark.parametrize("verb", CALLS)
@pytest.mark.parametrize("fault", [faulty.drops, faulty.hangs])
def test_a_lost_answer_is_unreachable_within_the_bound_and_never_repeated(
    server: FaultyServer, cluster: HttpCluster, verb: str, fault: faulty.Fault
) -> None:
    server.fault(verb, fault)
    began = time.monotonic()
    with pytest.raises(Unreachable, match=f"no answer from {server.url} to {verb_of(verb)} /api"):
        CALLS[verb](cluster.within(0.2))
    assert time.monotonic() - began < 1
    assert server.count(verb) == 1


def verb_of(verb: str) -> str:
    return {"list": "get", "watch": "get", "create": "post"}.get(verb, verb)


def test_an_answer_that_drips_cannot_hold_a_caller(
    server: FaultyServer, cluster: HttpCluster
) -> None:
    server.fault("get", faulty.drips)
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"not complete after 0\.3 s"):
        read(cluster.within(0.3))
    assert time.monotonic() - began < 1


def test_a_refused_connection_is_unreachable_at_once_and_says_so(
    server: FaultyServer, cluster: HttpCluster
) -> None:
    server.stop()
    began = time.monotonic()
    with pytest.raises(Unreachable, match="Connection refused"):
        read(cluster)
    assert time.monotonic() - began < 1


def test_an_idle_connection_that_the_server_closed_is_not_an_error(
    server: FaultyServer, cluster: HttpCluster
) -> None:
    server.put(SHOP)
    read(cluster)
    server.stop()
    server.restart()
    read(cluster)


def test_a_wait_that_the_server_asks_for_is_handed_on(
    server: FaultyServer, cluster: HttpCluster
) -> None:
    server.fault("get", faulty.says(429, retry_after=7))
    with pytest.raises(TooManyRequests) as caught:
        read(cluster)
    assert caught.value.retry_after == 7
    assert server.count("get") == 1


@pytest.mark.parametrize("asked", [0, 1])
@pytest.mark.parametrize("verb", [verb for verb in CALLS if verb != "watch"])
def test_who_waits_for_a_busy_server_asks_again_when_it_says_so(
    server: FaultyServer, verb: str, asked: int
) -> None:
    def is_busy_once(answer: faulty.Answer) -> None:
        server.fault(verb, None)
        faulty.says(429, retry_after=asked)(answer)

    server.put(SHOP)
    server.fault(verb, is_busy_once)
    with HttpCluster.for_server(server.url, "secret", busy_seconds=5) as patient:
        began = time.monotonic()
        with suppress(AlreadyExists):  # it was created above: the server has looked at it
            CALLS[verb](patient)
    assert time.monotonic() - began >= max(asked, 0.5)
    assert server.count(verb) == 2


@pytest.mark.parametrize("asked", [None, 7])
def test_who_waits_for_a_busy_server_does_not_wait_for_ever(
    server: FaultyServer, asked: int | None
) -> None:
    """Without a word how long, or with one that is too long, it is told at once."""
    server.fault("get", faulty.says(429, retry_after=asked))
    with HttpCluster.for_server(server.url, "secret", busy_seconds=5) as patient:
        began = time.monotonic()
        with pytest.raises(TooManyRequests):
            read(patient)
    assert time.monotonic() - began < 5
    assert server.count("get") == 1


def test_a_call_with_a_bound_of_its_own_is_made_once(server: FaultyServer) -> None:
    server.fault("get", faulty.says(429, retry_after=0))
    patient = HttpCluster.for_server(server.url, "secret", busy_seconds=5)
    with patient, pytest.raises(TooManyRequests):
        read(patient.within(2))
    assert server.count("get") == 1


def test_causes_reach_the_caller_with_their_fields(
    server: FaultyServer, cluster: HttpCluster
) -> None:
    causes = [{"field": "spec.ports", "message": "Required value", "reason": "FieldValueRequired"}]
    server.fault("create", faulty.says(422, details={"causes": causes}))
    with pytest.raises(Invalid) as caught:
        create(cluster)
    assert [(c.field, c.message) for c in caught.value.causes] == [("spec.ports", "Required value")]


def test_a_kind_that_the_server_does_not_know_is_told_from_an_object_it_does_not_have(
    server: FaultyServer, cluster: HttpCluster
) -> None:
    with pytest.raises(NotFound) as missing_object:
        read(cluster)
    server.fault("get", faulty.page_not_found)
    with pytest.raises(NotFound, match="was answered 404: 404 page not found") as missing_kind:
        read(cluster)
    assert not missing_object.value.kind_is_missing
    assert missing_kind.value.kind_is_missing


@pytest.mark.parametrize("text", ["<html>log in</html>", "[]", "", "null"])
def test_an_answer_that_is_no_object_is_not_from_an_api_server(
    server: FaultyServer, cluster: HttpCluster, text: str
) -> None:
    server.fault("get", lambda answer: answer.text(200, text))
    with pytest.raises(Unreachable, match="is not a JSON object: is the address that of an API"):
        read(cluster)


def test_a_redirect_is_not_followed(server: FaultyServer, cluster: HttpCluster) -> None:
    away = {"Location": "http://127.0.0.1:1/", "Content-Length": "0"}
    server.fault("get", lambda answer: answer.head(302, away))
    with pytest.raises(Refused) as caught:
        read(cluster)
    assert caught.value.status == 302


def test_every_call_tells_who_asks(server: FaultyServer, cluster: HttpCluster) -> None:
    server.put(SHOP)
    for call in (read, read_all, patch, delete, create):
        call(cluster)
    for seen in server.requests:
        assert seen.headers["authorization"] == "Bearer secret"
        assert seen.headers["user-agent"] == f"rollout/{rollout.__version__}"


def test_writes_carry_the_field_manager(server: FaultyServer, cluster: HttpCluster) -> None:
    create(cluster)
    patch(cluster)
    assert [seen.query["fieldManager"] for seen in server.requests] == ["rollout", "rollout"]
    other = HttpCluster.for_server(server.url, "secret", field_manager="rollout-node")
    patch(other)
    other.close()
    assert server.requests[-1].query["fieldManager"] == "rollout-node"


@pytest.mark.parametrize("patch_type", PatchType)
def test_every_patch_names_its_content_type(
    server: FaultyServer, cluster: HttpCluster, patch_type: PatchType
) -> None:
    server.fault("patch", lambda answer: answer.json(200, {}))
    body: Object | list[Object] = [] if patch_type is PatchType.JSON else {}
    cluster.apply(Patch(Kind.ROLLOUT, "shop", "checkout", patch_type, body))
    assert server.requests[-1].headers["content-type"] == patch_type.value
    assert server.requests[-1].body == body


def test_frozen_bodies_are_sent_as_plain_json(server: FaultyServer, cluster: HttpCluster) -> None:
    server.put(SHOP)
    body = MappingProxyType(
        {"spec": MappingProxyType({"ports": (MappingProxyType({"port": 80}),)})}
    )
    cluster.apply(Patch(Kind.SERVICE, "shop", "checkout", PatchType.MERGE, body))
    assert server.requests[-1].body == {"spec": {"ports": [{"port": 80}]}}


def test_a_delete_carries_what_it_was_decided_on(
    server: FaultyServer, cluster: HttpCluster
) -> None:
    server.put(SHOP)
    cluster.apply(
        Delete(
            Kind.SERVICE,
            "shop",
            "checkout",
            uid="u",
            resource_version="7",
            propagation="Foreground",
            grace_seconds=0,
        )
    )
    assert server.requests[-1].body == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": "u", "resourceVersion": "7"},
        "propagationPolicy": "Foreground",
        "gracePeriodSeconds": 0,
    }


@pytest.mark.parametrize(
    ("call", "path"),
    [
        (lambda c: c.get(Kind.POD, "shop", "a"), "/api/v1/namespaces/shop/pods/a"),
        (lambda c: c.get(Kind.NODE, "", "n"), "/api/v1/nodes/n"),
        (lambda c: c.list(Kind.POD), "/api/v1/pods"),
        (lambda c: c.list(Kind.DEPLOYMENT, "shop"), "/apis/apps/v1/namespaces/shop/deployments"),
        (
            lambda c: c.apply(
                Patch(
                    Kind.RELEASE, "shop", "r", PatchType.MERGE, {"status": {}}, subresource="status"
                )
            ),
            "/apis/rollout.dev/v1alpha1/namespaces/shop/releases/r/status",
        ),
        (
            lambda c: c.apply(
                Patch(Kind.DEPLOYMENT, "shop", "d", PatchType.MERGE, {}, subresource="scale")
            ),
            "/apis/apps/v1/namespaces/shop/deployments/d/scale",
        ),
        (
            lambda c: c.apply(
                Create(
                    Kind.POD,
                    "shop",
                    {"metadata": {"name": "p"}, "target": {"name": "n"}},
                    subresource="binding",
                )
            ),
            "/api/v1/namespaces/shop/pods/p/binding",
        ),
        (
            lambda c: c.apply(Create(Kind.SERVICE_ACCOUNT, "shop", {}, "token", "robot")),
            "/api/v1/namespaces/shop/serviceaccounts/robot/token",
        ),
    ],
)
def test_paths_come_from_the_declared_kinds(
    server: FaultyServer, cluster: HttpCluster, call: Callable[[HttpCluster], object], path: str
) -> None:
    anything = {"metadata": {"resourceVersion": "1"}, "items": []}
    for verb in CALLS:
        server.fault(verb, lambda answer: answer.json(200, anything))
    call(cluster)
    assert [seen.path for seen in server.requests] == [path]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a%2fb"])
def test_a_name_that_would_leave_its_place_in_the_path_is_never_sent(
    server: FaultyServer, cluster: HttpCluster, name: str
) -> None:
    with pytest.raises(Invalid, match=r"metadata\.name:"):
        cluster.apply(Delete(Kind.SERVICE, "shop", name))
    with pytest.raises(Invalid, match=r"metadata\.namespace:"):
        cluster.get(Kind.SERVICE, name, "checkout")
    with pytest.raises(Invalid, match=r"metadata\.namespace:"):
        cluster.list(Kind.SERVICE, name)
    assert server.requests == []


def test_listed_objects_say_their_kind(server: FaultyServer, cluster: HttpCluster) -> None:
    server.put(SHOP)
    listed = cluster.list(Kind.SERVICE, "shop", label_selector="app=checkout,track!=x")
    assert [(item["apiVersion"], item["kind"]) for item in listed.items] == [("v1", "Service")]
    assert listed.resource_version == listed.items[0]["metadata"]["resourceVersion"]
    assert server.requests[-1].query["labelSelector"] == "app=checkout,track!=x"


@pytest.mark.parametrize(
    "answer", [{}, {"metadata": {"resourceVersion": "1"}}, {"items": []}, {"kind": "Status"}]
)
def test_what_is_no_list_never_passes_for_an_empty_one(
    server: FaultyServer, cluster: HttpCluster, answer: dict[str, object]
) -> None:
    server.fault("list", lambda to: to.json(200, answer))
    with pytest.raises(Unreachable, match="this is not a list of services"):
        read_all(cluster)


def test_a_create_that_finds_the_name_taken_says_so(
    server: FaultyServer, cluster: HttpCluster
) -> None:
    create(cluster)
    with pytest.raises(AlreadyExists):
        create(cluster)
    assert server.count("create") == 2


def test_many_threads_share_a_client(server: FaultyServer, cluster: HttpCluster) -> None:
    answers: list[bool] = []

    def work(number: int) -> None:
        for _ in range(10):
            name = f"s{number}"
            answers.append(cluster.get(Kind.SERVICE, "shop", name)["metadata"]["name"] == name)

    for number in range(12):
        server.put(f"{SERVICES}/s{number}")
    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert answers == [True] * 120


@pytest.mark.parametrize("fault", [faulty.hangs, faulty.drips])
def test_a_blocked_call_can_be_broken_from_another_thread(
    server: FaultyServer, cluster: HttpCluster, fault: faulty.Fault
) -> None:
    server.fault("get", fault)
    caught: list[ClusterError] = []

    def work() -> None:
        try:
            read(cluster)
        except ClusterError as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while not server.count("get"):
        time.sleep(0.01)
    cluster.interrupt(thread.ident or 0)
    thread.join(1)
    assert not thread.is_alive()
    assert isinstance(caught[0], Unreachable)


def test_an_interrupt_leaves_other_threads_alone(
    server: FaultyServer, cluster: HttpCluster
) -> None:
    version = server.put(SHOP)["metadata"]["resourceVersion"]
    events = cluster.watch(Kind.SERVICE, "shop", version, 5)
    bystander = threading.Thread(target=read, args=(cluster,))
    bystander.start()
    bystander.join(5)
    cluster.interrupt(bystander.ident or 0)
    server.put(SHOP, {"spec": {}})
    assert next(events).object["spec"] == {}
    server.end_watches()
    assert list(events) == []


def test_a_watch_asks_for_an_end_and_for_bookmarks(
    server: FaultyServer, cluster: HttpCluster
) -> None:
    server.fault("watch", faulty.ends_at_once)
    assert list(cluster.watch(Kind.SERVICE, "shop", "7", 30)) == []
    assert server.requests[-1].query == {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": "7",
        "timeoutSeconds": "30",
    }


def test_an_error_in_the_stream_is_raised(server: FaultyServer, cluster: HttpCluster) -> None:
    server.fault("watch", faulty.gone_as_event)
    with pytest.raises(Gone):
        follow(cluster)


def test_half_an_event_is_never_taken_for_one(server: FaultyServer, cluster: HttpCluster) -> None:
    server.fault("watch", faulty.half_an_event)
    with pytest.raises(Unreachable):
        follow(cluster)


def test_a_stream_that_ends_orderly_within_a_line_is_broken(
    server: FaultyServer, cluster: HttpCluster
) -> None:
    def fault(answer: faulty.Answer) -> None:
        answer.begin()
        answer.chunk(b'{"type": "ADDED"')
        answer.end()

    server.fault("watch", fault)
    with pytest.raises(Unreachable, match="ended within a line"):
        follow(cluster)


@pytest.mark.parametrize(
    "line", ["oops", "[]", "{}", '{"type": "NEW", "object": {}}', '{"type": "ADDED"}']
)
def test_a_line_that_is_no_event_is_broken(
    server: FaultyServer, cluster: HttpCluster, line: str
) -> None:
    def fault(answer: faulty.Answer) -> None:
        answer.begin()
        answer.chunk(line.encode() + b"\n")
        answer.end()

    server.fault("watch", fault)
    with pytest.raises(Unreachable, match="not an event"):
        follow(cluster)


def test_events_cut_anywhere_by_the_network_arrive_whole(
    server: FaultyServer, cluster: HttpCluster
) -> None:
    events = [{"type": "ADDED", "object": {"metadata": {"name": f"näme-{n}"}}} for n in range(3)]
    data = b"".join(json.dumps(e, ensure_ascii=False).encode() + b"\n" for e in events)

    def fault(answer: faulty.Answer) -> None:
        answer.begin()
        for start in range(0, len(data), 7):
            answer.chunk(data[start : start + 7])
        answer.end()

    server.fault("watch", fault)
    names = [e.object["metadata"]["name"] for e in cluster.watch(Kind.POD, "shop", "1", 5)]
    assert names == ["näme-0", "näme-1", "näme-2"]


@pytest.mark.parametrize("fault", [faulty.stays_silent, faulty.keeps_alive])
def test_a_watch_with_nothing_in_it_past_its_time_counts_as_dead(
    server: FaultyServer,
    cluster: HttpCluster,
    monkeypatch: pytest.MonkeyPatch,
    fault: faulty.Fault,
) -> None:
    monkeypatch.setattr("rollout.kube.client.WATCH_GRACE_SECONDS", -0.8)
    server.fault("watch", fault)
    began = time.monotonic()
    with pytest.raises(Unreachable):
        list(cluster.watch(Kind.POD, "shop", "1", 1))
    assert 0.1 < time.monotonic() - began < 1
