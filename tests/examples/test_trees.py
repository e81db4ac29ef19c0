"""The trees of the example say what a service like this one must say, and their names agree."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from rollout.resources.crd import definitions
from rollout.resources.policy import RolloutPolicy
from rollout.resources.rollout import Rollout
from tests.examples.trees import EXAMPLE, KNOWN, MANIFESTS, OVERLAYS, Tree, build, one, values

pytestmark = pytest.mark.controlplane
KUBERNETES = "1.37"
OURS = {"Rollout": Rollout, "RolloutPolicy": RolloutPolicy}
FOREIGN = {"external-secrets.io/v1", "bitnami.com/v1alpha1", "monitoring.coreos.com/v1"}
"""What the API server itself does not know; these are tried with their own CRDs elsewhere."""


@pytest.fixture(scope="module")
def trees(kubectl_program: Path) -> dict[str, Tree]:
    return {name: build(kubectl_program, EXAMPLE / "overlays" / name) for name in OVERLAYS}


@pytest.fixture(params=OVERLAYS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def tree(trees: dict[str, Tree], name: str) -> Tree:
    return trees[name]


def deployment(tree: Tree, name: str) -> dict[str, Any]:
    return one(tree, "Deployment", KNOWN[name].service)


def test_every_object_is_valid_for_a_current_kubernetes(tree: Tree) -> None:
    for body in tree:
        if body["kind"] in OURS:
            OURS[body["kind"]].model_validate(body)
        elif body["apiVersion"] not in FOREIGN:
            kubernetes_validate.validate(body, KUBERNETES, strict=True)


def test_all_of_it_is_in_the_namespace_of_the_overlay(tree: Tree, name: str) -> None:
    assert one(tree, "Namespace", KNOWN[name].namespace)
    inside = [body for body in tree if body["kind"] != "Namespace"]
    assert {body["metadata"]["namespace"] for body in inside} == {KNOWN[name].namespace}


def test_a_rollout_points_at_what_is_there_whatever_the_prefix(tree: Tree, name: str) -> None:
    known = KNOWN[name]
    spec = one(tree, "Rollout", known.service)["spec"]
    assert one(tree, "Deployment", spec["target"]["deployment"])
    assert [one(tree, "Service", service) for service in spec["traffic"]["services"]]
    assert [one(tree, "Ingress", ingress) for ingress in spec["traffic"]["ingresses"]]
    assert one(tree, "RolloutPolicy", spec["policy"]["name"])
    assert (
        one(tree, "HorizontalPodAutoscaler", known.service)["spec"]["scaleTargetRef"]["name"]
        == (spec["target"]["deployment"])
    )


def test_what_a_pod_needs_is_there(tree: Tree, name: str) -> None:
    template = deployment(tree, name)["spec"]["template"]["spec"]
    assert one(tree, "ServiceAccount", template["serviceAccountName"])
    for reference in values(template, "configMapRef"):
        assert one(tree, "ConfigMap", reference["name"])
    secrets = {reference["name"] for reference in values(template, "secretKeyRef")}
    assert secrets == {secret(tree)}


def secret(tree: Tree) -> str:
    """Name of the Secret that this tree makes; exactly one thing may own it."""
    made = [
        *(b["metadata"]["name"] for b in tree if b["kind"] in {"Secret", "SealedSecret"}),
        *(b["spec"]["target"]["name"] for b in tree if b["kind"] == "ExternalSecret"),
    ]
    assert len(made) == 1, made
    return str(made[0])


def test_the_config_names_a_redis_that_is_there(tree: Tree, name: str) -> None:
    config = one(tree, "ConfigMap", f"{KNOWN[name].prefix}agent-config")["data"]
    assert "." not in config["REDIS_HOST"]  # a name with a namespace would be another one's
    if name != "production":  # there it is the cloud's
        assert one(tree, "Service", config["REDIS_HOST"])


def test_images_have_the_tag_of_the_overlay_and_never_latest(tree: Tree, name: str) -> None:
    template = deployment(tree, name)["spec"]["template"]["spec"]
    images = list(values(template["containers"], "image"))
    assert images == [f"registry.example.com/gemini-agent:{KNOWN[name].tag}"]
    for image in values(tree, "image"):
        assert image.rpartition(":")[2] not in {image, "latest"}


def test_the_autoscaler_owns_the_replicas(tree: Tree, name: str) -> None:
    assert "replicas" not in deployment(tree, name)["spec"]
    autoscaler = one(tree, "HorizontalPodAutoscaler", KNOWN[name].service)["spec"]
    assert (autoscaler["minReplicas"], autoscaler["maxReplicas"]) == KNOWN[name].replicas
    pods = [metric["pods"] for metric in autoscaler["metrics"] if metric["type"] == "Pods"]
    wanted = ["http_requests_per_second"] if name == "production" else []
    assert [metric["metric"]["name"] for metric in pods] == wanted


def test_selectors_are_those_of_the_base(tree: Tree, name: str) -> None:
    """A selector of a live Deployment cannot be changed, so no label of an overlay gets in."""
    assert deployment(tree, name)["spec"]["selector"] == {"matchLabels": {"app": "gemini-agent"}}
    service = one(tree, "Service", KNOWN[name].service)["spec"]["selector"]
    assert service == {"app": "gemini-agent"}


def test_pods_are_restricted_and_have_time_to_leave(tree: Tree, name: str) -> None:
    namespace = one(tree, "Namespace", KNOWN[name].namespace)["metadata"]["labels"]
    assert namespace["pod-security.kubernetes.io/enforce"] == "restricted"
    template = deployment(tree, name)["spec"]["template"]["spec"]
    (container,) = template["containers"]
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert 5 <= pause < template["terminationGracePeriodSeconds"] == 30
    assert template["automountServiceAccountToken"] is False
    assert one(tree, "ServiceAccount", template["serviceAccountName"])[
        "automountServiceAccountToken"
    ] is (False)


def test_production_is_larger(trees: dict[str, Tree]) -> None:
    (container,) = deployment(trees["production"], "production")["spec"]["template"]["spec"][
        "containers"
    ]
    assert container["resources"] == {
        "requests": {"cpu": "1", "memory": "2Gi"},
        "limits": {"cpu": "4", "memory": "8Gi"},
    }
    config = one(trees["production"], "ConfigMap", "prod-agent-config")["data"]
    assert (config["ENVIRONMENT"], config["ENABLE_DEBUG"]) == ("production", "false")
    assert config["GEMINI_MODEL"] == "gemini-2.0-flash"  # merged, not replaced


def test_kustomize_is_taught_every_name_in_our_kinds() -> None:
    """Each reference of the models has its line, so that a new field cannot be forgotten."""
    taught = yaml.safe_load((MANIFESTS / "kustomize" / "name-references.yaml").read_text())
    found = {
        (rule["kind"], field["kind"], field["path"])
        for rule in taught["nameReference"]
        for field in rule["fieldSpecs"]
    }
    assert found == set(references())


NAMES = {
    "target/deployment": "Deployment",
    "blueGreen/previewService": "Service",
    "traffic/services": "Service",
    "traffic/ingresses": "Ingress",
    "policy/name": "RolloutPolicy",
    "secretRef/name": "Secret",
    "spec/rollout": "Rollout",
}
"""How fields end that name an object, and the kind of it."""


def references() -> Iterator[tuple[str, str, str]]:
    """Kind that is named, kind that names it, and where, from the schemas of our kinds."""
    for definition in definitions():
        (version,) = definition["spec"]["versions"]
        spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
        for path in paths(spec, "spec"):
            for end, named in NAMES.items():
                if path.endswith(end):
                    yield named, definition["spec"]["names"]["kind"], path


def paths(schema: dict[str, Any], path: str) -> Iterator[str]:
    """All fields of a schema, but for those below a map, where Kustomize cannot reach."""
    schema = schema.get("items", schema)
    for name, field in schema.get("properties", {}).items():
        if field.get("type") in {"string", "array"}:
            yield f"{path}/{name}"
        yield from paths(field, f"{path}/{name}")
