"""Starting, retrying and steering releases over HTTP: what is written, and what is refused."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from rollout.resources.writes import Delete, Kind
from rollout.sandbox.apiserver.faults import Faults
from rollout.server.settings import BODY_BYTES, Limits
from tests import build
from tests.server.rig import Rig, problem

pytestmark = pytest.mark.system
SOON = {"inline": {"interval": "soon"}}
POLICY = {"inline": {"interval": "1s", "minimumRequests": 50}}


@pytest.fixture
def idle(rig: Rig) -> Rig:
    """Nothing runs: the last release was rolled back."""
    rig.say(phase="RolledBack")
    return rig


def test_a_start_is_recorded_under_the_name_of_who_asked(idle: Rig) -> None:
    body = {"version": "v3", "strategy": "blue-green", "policy": POLICY, "reason": "new prices"}
    answer = idle.client("ana").post(f"{idle.root}/rollouts/web/releases", json=body)
    assert answer.status_code == 201, answer.text
    said = answer.json()
    name = said["release"]["metadata"]["name"]
    spec = idle.release(name)["spec"]
    assert said["release"]["spec"] == spec
    assert (spec["rollout"], spec["version"], spec["by"]) == ("web", "v3", "ana")
    assert spec["reason"] == "new prices"
    assert spec["overrides"]["strategy"].keys() == {"blueGreen"}
    assert spec["overrides"]["policy"]["inline"]["minimumRequests"] == 50
    assert said["message"] == f"release {name} is on its way: `rollout watch` follows it"
    followed = idle.client("ana").get(answer.headers["location"])
    assert followed.json()["metadata"]["name"] == name


def test_only_who_may_write_policies_names_a_provider_inline(idle: Rig) -> None:
    """The controller is exempt from the admission policy, so it asks for who asks it."""
    provider = {"kind": "Prometheus", "address": "http://mine.example.com"}
    policy = {"inline": {**POLICY["inline"], "provider": provider}}
    start = f"{idle.root}/releases"
    said = problem(
        idle.client("dev").post(start, json={"version": "v3", "policy": policy}), 403, "forbidden"
    )
    assert said["missing"]["resource"] == "rolloutpolicies"
    assert len(idle.releases()) == 1
    assert idle.client("dev").post(start, json={"version": "v3"}).status_code == 201


def test_a_start_of_a_deployment_makes_its_rollout_and_says_what_it_assumed(bare: Rig) -> None:
    body = {"version": "v2", "deployment": "web"}
    answer = bare.client().post(f"{bare.root}/releases", json=body)
    assert answer.status_code == 201, answer.text
    assert "Deployment web had no Rollout: web is created" in answer.json()["assumed"]
    assert bare.cluster.get(Kind.ROLLOUT, bare.space, "web")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("releases", {}, "version"),
        ("releases", {"version": "v3", "by": "somebody"}, "by"),
        ("releases", {"version": "-v3"}, "version"),
        ("releases", {"version": 3}, "version"),
        ("releases", {"version": "v3", "strategy": "linear"}, "strategy"),
        ("releases", {"version": "v3", "policy": {}}, "policy"),
        ("releases", {"version": "v3", "policy": SOON}, "policy.inline.interval"),
        ("releases", {"version": "v3", "reason": "x" * 1025}, "reason"),
        ("rollouts/web/releases", {"version": "v3", "deployment": "web"}, "deployment"),
        ("releases/web-v2/actions", {"type": "explode"}, "type"),
        ("releases/web-v2/actions", {"type": "pause", "by": "somebody"}, "by"),
        ("releases/web-v2/actions", {"type": "pause", "expectedRevision": 7}, "expectedRevision"),
        ("releases/web-v2/retry", {"by": "somebody"}, "by"),
        ("releases/web-v2/retry", [], "body"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_by_field(
    rig: Rig, path: str, body: Any, field: str
) -> None:
    said = problem(rig.client().post(f"{rig.root}/{path}", json=body), 422, "invalid")
    assert [error["field"] for error in said["errors"]] == [field]
    assert len(rig.releases()) == 1
    assert "action" not in rig.release()["spec"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 50_000, b"\xff", b'{"version": NaN}', b'{"version": "\\ud800"}']
)
def test_what_is_no_json_is_refused(rig: Rig, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = rig.client().post(f"{rig.root}/releases", content=body, headers=headers)
    assert answer.status_code in {400, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_of_another_kind_is_refused_with_the_right_one(rig: Rig) -> None:
    answer = rig.client().post(f"{rig.root}/releases", content=b'{"version": "v3"}')
    assert "send a JSON object, with `Content-Type" in problem(answer, 422, "invalid")["detail"]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused(rig: Rig, chunked: bool) -> None:  # noqa: FBT001
    whole = json.dumps({"version": "v3", "reason": "x" * BODY_BYTES}).encode()
    content = iter([whole]) if chunked else whole
    headers = {"content-type": "application/json"}
    answer = rig.client().post(f"{rig.root}/releases", content=content, headers=headers)
    said = problem(answer, 413, "too-large")["detail"]
    assert said == f"the body is longer than {BODY_BYTES} bytes"


@pytest.mark.parametrize(
    ("body", "status", "kind", "said"),
    [
        ({"version": "v3", "rollout": "shop"}, 404, "not-found", "there is no Rollout shop"),
        ({"version": "v3", "deployment": "shop"}, 404, "not-found", "there is no Deployment shop"),
        ({"version": "v1"}, 409, "refused", "is what serves already"),
        (
            {"version": "v3", "rollout": "web", "deployment": "other"},
            409,
            "refused",
            "Rollout web ships Deployment web, not other",
        ),
    ],
)
def test_what_stands_against_a_start_is_said(
    idle: Rig, body: dict[str, str], status: int, kind: str, said: str
) -> None:
    answer = idle.client().post(f"{idle.root}/releases", json=body)
    assert said in problem(answer, status, kind)["detail"]
    assert len(idle.releases()) == 1


def test_a_start_while_another_runs_is_refused_with_the_way_out(rig: Rig) -> None:
    answer = rig.client().post(f"{rig.root}/releases", json={"version": "v3"})
    assert "rollout rollback web-v2" in problem(answer, 409, "refused")["detail"]


def test_a_retry_ships_the_same_again(idle: Rig) -> None:
    answer = idle.client().post(f"{idle.root}/releases/web-v2/retry", json={"reason": "fixed"})
    assert answer.status_code == 201
    spec = answer.json()["release"]["spec"]
    assert (spec["version"], spec["by"], spec["reason"]) == ("v2", "ana", "fixed")


def test_an_action_is_recorded_under_the_name_of_who_asked(rig: Rig) -> None:
    answer = rig.client("bob").post(rig.actions, json={"type": "rollback", "reason": "latency"})
    assert answer.status_code == 202
    said = answer.json()
    assert said["message"] == (
        "web-v2: rollback asked for; all traffic goes back to the stable version"
    )
    assert rig.release()["spec"]["action"] == said["action"]
    assert (said["action"]["by"], said["action"]["reason"]) == ("bob", "latency")


def test_an_action_that_cannot_be_done_is_refused_with_the_sentence_of_the_admission(
    rig: Rig,
) -> None:
    rig.say(phase="Succeeded")
    answer = rig.client().post(rig.actions, json={"type": "rollback"})
    said = problem(answer, 409, "refused")["detail"]
    assert said == (
        "web-v2: the release has ended (Succeeded): with a kubeconfig `rollout undo` brings the "
        "earlier version back, or start a new one"
    )


def test_an_action_on_what_is_not_there_is_404(rig: Rig) -> None:
    answer = rig.client().post(f"{rig.root}/releases/nothing/actions", json={"type": "pause"})
    problem(answer, 404, "not-found")


def test_who_looked_at_another_state_decides_again(rig: Rig) -> None:
    client = rig.client()
    seen = client.get(f"{rig.root}/releases/web-v2").json()["metadata"]["resourceVersion"]
    now = rig.say(phase="Baking")["metadata"]["resourceVersion"]
    body = {"type": "promote", "expectedRevision": seen}
    said = problem(client.post(rig.actions, json=body), 409, "stale-revision")
    assert said["currentRevision"] == now
    assert "action" not in rig.release()["spec"]
    assert client.post(rig.actions, json={**body, "expectedRevision": now}).status_code == 202


def test_the_cluster_s_own_words_are_passed_on(rig: Rig) -> None:
    client = rig.client()
    assert client.get(f"{rig.root}/releases").is_success
    assert client.post(rig.actions, json={"type": "pause"}).status_code == 202
    rig.server.faults = Faults(status=429, retry_after=7, resources=frozenset({"releases"}))
    answer = client.post(rig.actions, json={"type": "pause"})
    assert "on purpose" in problem(answer, 429, "too-many-requests")["detail"]
    assert answer.headers["retry-after"] == "7"
    rig.server.faults = Faults(status=403, resources=frozenset({"releases"}))
    answer = client.post(rig.actions, json={"type": "pause"})
    assert "the controller itself may not" in problem(answer, 503, "misconfigured")["detail"]


def test_a_cluster_that_is_frozen_holds_nobody_for_ever() -> None:
    with Rig(limits=Limits(call=1.0)) as alone, alone.place(*build.shop()) as rig:
        client = rig.client()
        assert client.get(f"{rig.root}/releases").is_success
        rig.server.faults = Faults(freeze=True, resources=frozenset({"releases"}))
        began = time.monotonic()
        answer = client.post(rig.actions, json={"type": "pause"}, timeout=30)
        problem(answer, 503, "unavailable")
        assert time.monotonic() - began < 3


def keyed(
    client: httpx.Client, path: str, body: dict[str, Any], key: str = "k-1"
) -> httpx.Response:
    return client.post(path, json=body, headers={"Idempotency-Key": key})


def test_a_start_under_one_key_is_done_once_by_all_replicas(idle: Rig) -> None:
    other = idle.serve()
    clients = [idle.client(), idle.client(api=other)]
    body = {"version": "v3"}
    with ThreadPoolExecutor(6) as pool:
        asked = [
            pool.submit(keyed, clients[n % 2], f"{idle.root}/releases", body) for n in range(6)
        ]
        answers = [one.result() for one in asked]
    done = [answer for answer in answers if answer.status_code == 201]
    assert done
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert {answer.content for answer in done} == {done[0].content}
    assert len(idle.releases()) == 2
    again = keyed(clients[1], f"{idle.root}/releases", body)
    assert again.content == done[0].content


@pytest.mark.parametrize(
    ("path", "body"), [("releases", {"version": "v3"}), ("releases/web-v2/retry", {"reason": "x"})]
)
def test_a_new_process_gives_the_same_answer(idle: Rig, path: str, body: dict[str, Any]) -> None:
    old = idle.serve()
    first = keyed(idle.client(api=old), f"{idle.root}/{path}", body)
    assert first.status_code == 201
    old.stop()
    name = first.json()["release"]["metadata"]["name"]
    idle.say(name, phase="Succeeded")
    anew = idle.serve()
    again = keyed(idle.client(api=anew), f"{idle.root}/{path}", body)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["location"] == first.headers["location"]
    assert len(idle.releases()) == 2


def test_an_action_under_one_key_is_asked_once(rig: Rig) -> None:
    body = {"type": "pause", "reason": "lunch"}
    old = rig.serve()
    first = keyed(rig.client(api=old), rig.actions, body)
    assert keyed(rig.client(), rig.actions, {"type": "resume"}, "k-2").status_code == 409
    assert keyed(rig.client(), rig.actions, {"type": "rollback"}, "k-3").status_code == 202
    rig.say(phase="RolledBack")
    old.stop()
    anew = rig.serve()
    again = keyed(rig.client(api=anew), rig.actions, body)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert rig.release()["spec"]["action"]["type"] == "rollback"


@pytest.mark.parametrize(
    ("path", "one", "other"),
    [
        ("releases", {"version": "v3"}, {"version": "v4"}),
        ("releases/web-v2/retry", {"reason": "a"}, {"reason": "b"}),
    ],
)
def test_one_key_for_two_requests_is_refused(
    idle: Rig, path: str, one: dict[str, Any], other: dict[str, Any]
) -> None:
    client = idle.client()
    assert keyed(client, f"{idle.root}/{path}", one).status_code == 201
    problem(keyed(client, f"{idle.root}/{path}", other), 422, "key-reused")
    assert len(idle.releases()) == 2


def test_one_key_for_two_actions_is_refused(rig: Rig) -> None:
    assert keyed(rig.client(), rig.actions, {"type": "pause"}).status_code == 202
    problem(keyed(rig.client(), rig.actions, {"type": "rollback"}), 422, "key-reused")
    assert rig.release()["spec"]["action"]["type"] == "pause"


@pytest.mark.parametrize("key", ["", "a b", "x" * 256])
def test_a_key_that_is_none_is_refused(rig: Rig, key: str) -> None:
    said = problem(keyed(rig.client(), rig.actions, {"type": "pause"}, key), 422, "invalid")
    assert said["errors"][0]["field"] == "header.Idempotency-Key"


def test_a_start_whose_answer_was_lost_is_found_again(idle: Rig) -> None:
    client = idle.client()
    assert client.get(f"{idle.root}/releases").is_success
    creates, releases = frozenset({"create"}), frozenset({"releases"})
    idle.server.faults = Faults(lost_answer=True, times=1, verbs=creates, resources=releases)
    problem(keyed(client, f"{idle.root}/releases", {"version": "v3"}), 503, "unavailable")
    assert len(idle.releases()) == 2
    assert keyed(client, f"{idle.root}/releases", {"version": "v3"}).status_code == 201
    assert len(idle.releases()) == 2


def test_a_rollout_that_went_meanwhile_cannot_be_retried(idle: Rig) -> None:
    idle.cluster.apply(Delete(Kind.ROLLOUT, idle.space, "web"))
    answer = idle.client().post(f"{idle.root}/releases/web-v2/retry", json={})
    assert "Rollout web of release web-v2 is gone" in problem(answer, 404, "not-found")["detail"]


def test_changes_are_counted_by_kind_and_outcome(own: Rig) -> None:
    own.client().post(own.actions, json={"type": "pause"})
    own.client("bob").post(own.actions, json={"type": "pause"})
    assert own.count("changes_total", what="pause", outcome="done") == 1
    assert own.count("changes_total", what="pause", outcome="forbidden") == 1
