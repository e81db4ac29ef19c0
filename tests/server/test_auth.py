"""Who may do what: the cluster says so, at every route."""

import socket
import time

import pytest
import yaml

from rollout.resources.writes import Kind
from rollout.sandbox.apiserver.faults import Faults
from rollout.sandbox.apiserver.users import EVERYTHING, User
from rollout.server.auth import bearer
from tests.server.rig import Rig, may, problem

pytestmark = pytest.mark.system
ACTIONS = ("promote", "promoteFull", "pause", "resume", "rollback")


@pytest.mark.parametrize("who", [None, "nobody", "ä", "x" * 20_000])
def test_without_a_token_of_the_cluster_nothing_is_answered(rig: Rig, who: str | None) -> None:
    client = rig.client(None)
    headers = {"authorization": f"Bearer {who}".encode()} if who else {}
    for path in (f"{rig.root}/releases", f"{rig.root}/nothing", "/api/v1/releases/stream"):
        answer = client.get(path, headers=headers)  # type: ignore[arg-type]
        problem(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"] == 'Bearer realm="rollout"'


def test_with_an_audience_only_tokens_made_for_it_are_taken(rig: Rig) -> None:
    api = rig.serve(audience="rollout")
    rig.server.tokens["ci"] = User("ci", audiences=frozenset({"rollout"}))
    assert rig.client("ci", api).get(f"{rig.root}/releases").status_code == 200
    for token in ("ana", None):
        answer = rig.client(token, api).get(f"{rig.root}/releases")
        said = problem(answer, 401, "unauthorized")["detail"]
        assert said.endswith("for example of `kubectl create token NAME --audience=rollout`")
    problem(rig.client("ci").get(f"{rig.root}/releases"), 401, "unauthorized")


def test_nothing_is_read_from_somebody_whom_nobody_knows(rig: Rig) -> None:
    head = f"POST {rig.root}/releases HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", rig.api.port), timeout=5) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    ("header", "token"),
    [("Bearer a", "a"), ("bearer  a ", "a"), ("Basic a", ""), ("a", ""), ("", ""), ("Bearer", "")],
)
def test_a_token_is_what_stands_after_bearer(header: str, token: str) -> None:
    assert bearer(header) == token


def test_every_route_asks_for_a_right(rig: Rig) -> None:
    eve, document = rig.client("eve"), rig.client().get("/api/v1/openapi.json").json()
    bodies = {"actions": {"type": "pause"}, "releases": {"version": "v9"}, "retry": {}}
    asked = 0
    for path, operations in document["paths"].items():
        for method in operations:
            url = path.replace("{namespace}", rig.space).replace("{name}", "web-v2")
            body = bodies[path.rsplit("/", 1)[-1]] if method == "post" else None
            answer = eve.request(method, url, json=body)
            problem(answer, 403, "forbidden")
            asked += 1
    assert asked == 15
    assert len(rig.releases()) == 1


@pytest.mark.parametrize("type_", ACTIONS)
def test_who_is_on_call_may_roll_back_and_nothing_else(rig: Rig, type_: str) -> None:
    answer = rig.client("bob").post(rig.actions, json={"type": type_})
    if type_ == "rollback":
        assert answer.status_code == 202
        action = rig.release()["spec"]["action"]
        assert (action["type"], action["by"]) == ("rollback", "bob")
        return
    said = problem(answer, 403, "forbidden")
    assert said["user"] == "bob"
    assert said["missing"]["verb"] == type_
    assert "action" not in rig.release()["spec"]


@pytest.mark.parametrize("type_", ACTIONS)
def test_each_action_needs_its_own_verb(rig: Rig, type_: str) -> None:
    rig.server.tokens["one"] = User("one", rules=(may(rig.space, type_),))
    rig.say(phase="Paused", pausedFrom=paused() if type_ != "pause" else None)
    answer = rig.client("one").post(rig.actions, json={"type": type_})
    assert answer.status_code == 202, answer.text
    assert rig.release()["spec"]["action"]["type"] == type_


def paused() -> dict[str, object]:
    return {"phase": "Progressing", "step": 0, "reason": "PausedByPerson", "held": "1s"}


def test_retry_and_start_need_their_own_verbs(rig: Rig) -> None:
    dev, bob = rig.client("dev"), rig.client("bob")
    said = problem(dev.post(f"{rig.root}/releases/web-v2/retry", json={}), 403, "forbidden")
    assert said["missing"]["verb"] == "retry"
    said = problem(bob.post(f"{rig.root}/releases", json={"version": "v3"}), 403, "forbidden")
    assert said["missing"]["verb"] == "create"
    rig.say(phase="RolledBack")
    assert dev.post(f"{rig.root}/releases", json={"version": "v3"}).status_code == 201


def test_who_may_create_no_rollout_gets_none_made(bare: Rig) -> None:
    answer = bare.client("dev").post(f"{bare.root}/releases", json={"version": "v2"})
    said = problem(answer, 403, "forbidden")
    assert (said["missing"]["verb"], said["missing"]["resource"]) == ("create", "rollouts")
    assert bare.cluster.list(Kind.ROLLOUT, bare.space).items == ()
    assert bare.releases() == ()


def test_the_refusal_holds_the_rule_that_would_allow_it(rig: Rig) -> None:
    answer = rig.client("bob").post(rig.actions, json={"type": "promoteFull"})
    said = problem(answer, 403, "forbidden")
    assert said["detail"].startswith(
        f"bob lacks the verb promoteFull on releases.rollout.dev in namespace {rig.space}"
    )
    role, binding = yaml.safe_load_all(said["rbac"])
    assert role["rules"] == [
        {"apiGroups": ["rollout.dev"], "resources": ["releases"], "verbs": ["promoteFull"]}
    ]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"][0] == {
        "kind": "User",
        "name": "bob",
        "apiGroup": "rbac.authorization.k8s.io",
    }


def test_a_right_that_was_given_works_a_moment_later(rig: Rig) -> None:
    eve = rig.client("eve")
    problem(eve.get(f"{rig.root}/releases"), 403, "forbidden")
    rig.server.tokens["eve"] = User("eve", rules=EVERYTHING)
    end = time.monotonic() + 5
    while not eve.get(f"{rig.root}/releases").is_success:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_while_the_cluster_cannot_be_asked_nobody_is_let_through(rig: Rig) -> None:
    rig.server.tokens["new"] = User("new")
    rig.server.faults = Faults(refuse=True, verbs=frozenset({"create"}))
    answer = rig.client("new").get(f"{rig.root}/releases")
    problem(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1


def test_who_was_known_a_moment_ago_can_still_read_without_the_cluster(rig: Rig) -> None:
    client = rig.client()
    assert client.get(f"{rig.root}/releases").is_success
    rig.server.faults = Faults(refuse=True, verbs=frozenset({"create"}))
    assert client.get(f"{rig.root}/releases").is_success
    problem(
        client.post(rig.actions, json={"type": "pause"}),
        503,
        "unavailable",
    )
