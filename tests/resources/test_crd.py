"""The CRDs are those of the models, and the real API server holds people to them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from rollout.kube.client import HttpCluster
from rollout.kube.errors import Invalid
from rollout.resources.crd import definitions, files
from rollout.resources.rollout import Rollout
from rollout.resources.writes import Create, Kind, Object, Patch, PatchType
from tests import build
from tests.controlplane.access import Access
from tests.defined import define
from tests.resources.bad import BAD as PLAIN
from tests.resources.bad import Bad
from tests.resources.bad_provider import OF_A_PROVIDER
from tests.resources.change import changed, policy

MANIFESTS = Path(__file__).parent.parent.parent / "manifests" / "crds"


def test_the_committed_files_are_those_of_the_models() -> None:
    committed = {file.name: file.read_text() for file in MANIFESTS.glob("*.yaml")}
    listed = yaml.safe_load(committed.pop("kustomization.yaml"))["resources"]
    assert sorted(listed) == sorted(committed)
    assert committed == files(), "run `rollout crds --write manifests/crds`"


def test_every_field_is_described() -> None:
    lacking = [
        path
        for crd in definitions()
        for path in undescribed(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"], "")
    ]
    assert lacking == []


def undescribed(schema: dict[str, Any], path: str) -> Iterator[str]:
    for name, field in schema.get("properties", {}).items():
        top = path == "" and name in {"apiVersion", "kind", "metadata", "spec", "status"}
        if "description" not in field and not top:
            yield f"{path}.{name}"
        yield from undescribed(field, f"{path}.{name}")
    if isinstance(schema.get("items"), dict):
        yield from undescribed(schema["items"], f"{path}[]")


@pytest.fixture
def cluster(control_plane: Access) -> Iterator[HttpCluster]:
    found = HttpCluster.for_server(
        control_plane.url, control_plane.token(), str(control_plane.ca_file)
    )
    define(found)
    yield found
    found.close()


def kind_of(body: Object) -> Kind:
    return next(kind for kind in Kind if kind.value.kind == body["kind"])


BAD = (*PLAIN, *OF_A_PROVIDER)
ROLLOUT, RELEASE = build.rollout(), build.release()


@pytest.mark.controlplane
def test_defaults_are_those_of_the_models(cluster: HttpCluster, namespace: str) -> None:
    body = changed(ROLLOUT, "spec.strategy", {"canary": {}})
    spec = cluster.apply(Create(Kind.ROLLOUT, namespace, body))["spec"]
    canary = spec["strategy"]["canary"]
    assert [step["weight"] for step in canary["steps"]] == [5, 20, 50]
    assert (canary["drain"], canary["bake"]) == ("5s", "5m")
    assert (spec["trigger"], spec["adoption"], spec["historyLimit"]) == ("Command", "Surge", 10)


@pytest.mark.controlplane
@pytest.mark.parametrize(
    ("trigger", "other"),
    [("Template", None), ("Template", "Supersede"), ("Command", "Supersede"), ("Command", None)],
)
def test_what_a_new_release_does_may_be_left_out(
    cluster: HttpCluster, namespace: str, trigger: str, other: str | None
) -> None:
    chosen = {"onNewRelease": other} if other else {}
    body = {**ROLLOUT, "spec": {**ROLLOUT["spec"], "trigger": trigger, **chosen}}
    spec = cluster.apply(Create(Kind.ROLLOUT, namespace, body))["spec"]
    assert (spec["trigger"], spec.get("onNewRelease")) == (trigger, other)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (build.rollout(strategy=build.blue_green(), adoption="InPlace"), "set adoption to Surge"),
        (
            changed(ROLLOUT, "spec.traffic", {"shareBy": "Replicas", "ingresses": ["web"]}),
            "drop ingresses, or set shareBy to Ingress",
        ),
    ],
)
def test_the_models_refuse_what_the_server_refuses(body: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Rollout.model_validate(body)


def messages(schema: Any) -> Iterator[str]:
    """Every rule's message, at any depth of a schema."""
    if isinstance(schema, dict):
        yield from (rule["message"] for rule in schema.get("x-kubernetes-validations", ()))
    for value in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(value, dict | list):
            yield from messages(value)


def test_every_rule_has_its_case() -> None:
    ruled = {message for crd in definitions() for message in messages(crd)}
    assert len(ruled) > 20
    assert ruled == {case.said for case in BAD}


@pytest.mark.controlplane
@pytest.mark.parametrize("case", BAD, ids=lambda case: case.said)
def test_what_breaks_a_rule_is_refused_with_field_and_fix(
    cluster: HttpCluster, namespace: str, case: Bad
) -> None:
    kind, name = kind_of(case.body), case.body["metadata"]["name"]
    write: Create | Patch = Create(kind, namespace, case.body)
    if case.change:
        cluster.apply(write)
        write = Patch(kind, namespace, name, PatchType.MERGE, case.change)
    with pytest.raises(Invalid) as refused:
        cluster.apply(write)
    assert [(cause.field, cause.message.endswith(case.said)) for cause in refused.value.causes] == [
        (case.at, True)
    ]


@pytest.mark.controlplane
def test_actions_may_follow_each_other_until_a_rollback(
    cluster: HttpCluster, namespace: str
) -> None:
    cluster.apply(Create(Kind.RELEASE, namespace, RELEASE))
    for number, type_ in enumerate(("pause", "resume", "rollback")):
        action = {"id": f"a{number}", "type": type_, "by": "admin", "at": "2026-01-01T00:00:00Z"}
        body = {"spec": {"action": action}}
        cluster.apply(Patch(Kind.RELEASE, namespace, "web-v2", PatchType.MERGE, body))


@pytest.mark.controlplane
@pytest.mark.parametrize("body", [ROLLOUT, RELEASE, policy()], ids=lambda body: body["kind"])
def test_status_is_a_subresource_of_its_own(
    cluster: HttpCluster, namespace: str, body: dict[str, Any]
) -> None:
    kind, name = kind_of(body), body["metadata"]["name"]
    made = cluster.apply(Create(kind, namespace, {**body, "status": {"observedGeneration": 7}}))
    assert "status" not in made
    status = {"spec": {"unheard": "of"}, "status": {"observedGeneration": 1}}
    said = cluster.apply(Patch(kind, namespace, name, PatchType.MERGE, status, "status"))
    assert said["status"]["observedGeneration"] == 1
    assert said["spec"] == made["spec"]
    assert said["metadata"]["generation"] == made["metadata"]["generation"]


@pytest.mark.controlplane
def test_kubectl_answers_the_first_question(
    control_plane: Access, cluster: HttpCluster, namespace: str
) -> None:
    cluster.apply(Create(Kind.ROLLOUT, namespace, ROLLOUT))
    cluster.apply(Create(Kind.RELEASE, namespace, RELEASE))
    head = control_plane.kubectl("get", "rel", namespace=namespace).stdout.splitlines()[0]
    assert head.split() == [
        *("NAME", "ROLLOUT", "VERSION", "STRATEGY"),
        *("PHASE", "STEP", "WEIGHT", "VERDICT", "AGE"),
    ]
    shown = control_plane.kubectl("get", "delivery", namespace=namespace).stdout
    assert "release.rollout.dev/web-v2" in shown
    assert "rollout.rollout.dev/web" in shown
