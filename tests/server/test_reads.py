"""What can be read, and that it comes from the caches."""

import pytest

from rollout.resources.words import API_VERSION
from rollout.resources.writes import Create, Kind
from tests import build
from tests.sandbox.practice import until
from tests.server.rig import Rig, problem

pytestmark = pytest.mark.system
VERDICT = {
    "result": "Fail",
    "reason": "Worse",
    "message": "errors are higher",
    "at": "2026-01-01T12:00:00.000000Z",
    "metrics": [
        {
            "name": "errors",
            "result": "Fail",
            "stable": {"bad": 3, "total": 4000},
            "candidate": {"bad": 80, "total": 1000},
            "pValue": 0.00001,
            "limit": 0.001,
        }
    ],
}


def test_a_release_is_shown_with_the_numbers_behind_its_verdict(rig: Rig) -> None:
    rig.say(verdict=VERDICT)
    shown = rig.client().get(f"{rig.root}/releases/web-v2").json()
    assert shown["apiVersion"] == API_VERSION
    assert shown["spec"]["version"] == "v2"
    metric = shown["status"]["verdict"]["metrics"][0]
    assert metric["candidate"] == {"bad": 80, "total": 1000}
    assert metric["pValue"] == 0.00001


def test_releases_are_listed_by_rollout_and_phase(rig: Rig) -> None:
    rig.create(build.release("web-v1", "v1"))
    rig.say("web-v1", "Succeeded")
    client = rig.client()

    def names(**query: str | list[str]) -> list[str]:
        items = client.get(f"{rig.root}/releases", params=query).json()["items"]
        return [item["metadata"]["name"] for item in items]

    assert names() == ["web-v1", "web-v2"]
    assert names(phase="Succeeded") == ["web-v1"]
    assert names(phase=["Succeeded", "Progressing"], rollout="web") == ["web-v1", "web-v2"]
    assert names(rollout="other") == []


def test_all_namespaces_are_listed_to_those_who_may(rig: Rig) -> None:
    rig.cluster.apply(Create(Kind.RELEASE, "default", build.release("other-v1")))
    until(lambda: rig.caches.get(Kind.RELEASE, "default", "other-v1"), "the cache knows it")
    items = rig.client().get("/api/v1/releases").json()["items"]
    assert {item["metadata"]["namespace"] for item in items} >= {"default", rig.space}
    assert len(rig.client().get(f"{rig.root}/releases").json()["items"]) == 1
    items = rig.client().get("/api/v1/rollouts").json()["items"]
    assert rig.space in {item["metadata"]["namespace"] for item in items}
    refused = problem(rig.client("bob").get("/api/v1/releases"), 403, "forbidden")
    assert "ClusterRoleBinding" in refused["rbac"]


def test_rollouts_are_read(rig: Rig) -> None:
    client = rig.client("bob")
    listed = client.get(f"{rig.root}/rollouts").json()["items"]
    one = client.get(f"{rig.root}/rollouts/web").json()
    assert listed == [one]
    assert one["spec"]["target"] == {"deployment": "web"}


def test_explain_says_what_the_command_line_says(rig: Rig) -> None:
    rig.say(phase="Paused", message="two of four")
    lines = rig.client().get(f"{rig.root}/releases/web-v2/explain").json()["lines"]
    assert lines[1] == "Why: two of four."
    assert "a person decides" in lines[2]


def test_pods_of_both_sides_are_counted(rig: Rig) -> None:
    assert rig.client().get(f"{rig.root}/releases/web-v2/pods").json()["ready"] == {}
    rig.say(resolved=resolved())
    said = rig.client().get(f"{rig.root}/releases/web-v2/pods").json()
    assert said == {"release": "web-v2", "ready": {"stable": "0 of 4 ready"}}


def resolved() -> dict[str, object]:
    return {
        "strategy": build.canary(),
        "policy": {},
        "traffic": {},
        "deployment": "web",
        "deploymentUid": "1",
        "container": "web",
        "template": {},
        "stableTemplate": {},
        "stableHash": "1",
        "replicas": 4,
    }


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("releases/nothing", "there is no release nothing in namespace test-"),
        ("releases/nothing/explain", "there is no release nothing"),
        ("releases/nothing/pods", "there is no release nothing"),
        ("releases/nothing/stream", "there is no release nothing"),
        ("rollouts/nothing", "there is no Rollout nothing in namespace test-"),
        ("nothing", "there is no such page"),
    ],
)
def test_what_is_not_there_is_said(rig: Rig, path: str, said: str) -> None:
    assert said in problem(rig.client().get(f"{rig.root}/{path}"), 404, "not-found")["detail"]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("X/releases", "path.namespace"),
        ("/releases/We_b", "path.name"),
        ("/releases?phase=Running", "query.phase.0"),
        ("/releases?rollout=A", "query.rollout"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_field(rig: Rig, path: str, field: str) -> None:
    said = problem(rig.client().get(f"{rig.root}{path}"), 422, "invalid")
    assert [error["field"] for error in said["errors"]] == [field]


def test_a_method_that_does_not_exist_is_said_with_one_that_does(rig: Rig) -> None:
    answer = rig.client().delete(f"{rig.root}/releases/web-v2")
    assert problem(answer, 405, "method-not-allowed")["detail"] == "use GET"
    assert answer.headers["allow"] == "GET"


def test_reads_cost_the_cluster_nothing_but_reviews(own: Rig) -> None:
    rig, client = own, own.client()
    for _ in range(20):
        assert client.get(f"{rig.root}/releases").is_success
        assert client.get(f"{rig.root}/releases/web-v2").is_success
    assert rig.count("reviews_total", kind="TokenReview", answer="known") == 1
    assert rig.count("reviews_total", kind="SubjectAccessReview", answer="allowed") == 2
    route = "/namespaces/{namespace}/releases/{name}"
    assert rig.count("requests_total", method="GET", route=route, status="200") == 20


def test_invented_methods_are_one_series(rig: Rig) -> None:
    """Anybody can send them, without a token."""
    for number in range(20):
        rig.client().request(f"EVIL{number}", f"{rig.root}/releases")
    labels = {
        s.labels["method"]
        for m in rig.registry.collect()
        for s in m.samples
        if "method" in s.labels
    }
    assert "other" in labels
    assert not [label for label in labels if label.startswith("EVIL")]


def test_before_the_caches_are_filled_it_says_so() -> None:
    with Rig(filled=False) as rig:
        answer = rig.client().get(f"{rig.root}/releases")
        assert "being filled" in problem(answer, 503, "unavailable")["detail"]
        assert answer.headers["retry-after"] == "1"


def test_a_controller_of_one_namespace_says_that_it_serves_no_other() -> None:
    with Rig(namespace="default") as rig:
        assert rig.client().get(f"{rig.root}/releases").is_success
        said = problem(rig.client().get("/api/v1/namespaces/shop/releases"), 404, "not-found")
        assert said["detail"] == "this controller serves namespace default only, not shop"


def test_the_document_is_open_and_names_no_other_place(rig: Rig) -> None:
    answer = rig.client(None).get("/api/v1/openapi.json")
    document = answer.json()
    assert document["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    assert rig.client().get("/docs").status_code == 404
    assert "cdn" not in answer.text


def test_every_route_is_documented_with_its_problems(rig: Rig) -> None:
    document = rig.client().get("/api/v1/openapi.json").json()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["description"], path
            assert operation["security"] == [{"HTTPBearer": []}], path
            for status in ("401", "403", "422", "503"):
                assert list(operation["responses"][status]["content"]) == [
                    "application/problem+json"
                ]
