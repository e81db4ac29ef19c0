"""The trees of the example say what a service like this one must say, and their names agree."""

import re
import shutil
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from gemini_agent.settings import SETTINGS

from rollout.resources.crd import definitions
from rollout.resources.policy import RolloutPolicy
from rollout.resources.rollout import Rollout
from rollout.sandbox import example
from tests.examples.service import KEYS
from tests.examples.trees import EXAMPLE, KNOWN, MANIFESTS, OVERLAYS, Tree, build, one, values

pytestmark = pytest.mark.controlplane
KUBERNETES = "1.37"
OURS = {"Rollout": Rollout, "RolloutPolicy": RolloutPolicy}
FOREIGN = {"external-secrets.io/v1", "bitnami.com/v1alpha1", "monitoring.coreos.com/v1"}
"""What the API server itself does not know; these are tried with their own CRDs elsewhere."""


def deployment(tree: Tree, name: str) -> dict[str, Any]:
    return one(tree, "Deployment", KNOWN[name].service)


def test_every_object_is_valid_for_a_current_kubernetes(tree: Tree) -> None:
    for body in tree:
        if body["kind"] in OURS:
            OURS[body["kind"]].model_validate(body)
        elif body["apiVersion"] not in FOREIGN:
            kubernetes_validate.validate(body, KUBERNETES, strict=True)


def test_so_is_what_the_practice_cluster_starts_with() -> None:
    found = [dict(body) for body in example.objects()]
    assert sorted(one["kind"] for one in found) == ["Deployment", "Ingress", "Rollout", "Service"]
    test_every_object_is_valid_for_a_current_kubernetes(found)


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


def config_of(tree: Tree, name: str) -> dict[str, str]:
    found: dict[str, str] = one(tree, "ConfigMap", f"{KNOWN[name].prefix}agent-config")["data"]
    return found


def test_the_config_names_a_redis_that_is_there(tree: Tree, name: str) -> None:
    """Production's is the cloud's, at a private address; see also tests/charts/test_policies.py."""
    host = config_of(tree, name)["REDIS_HOST"]
    if name == "production":
        assert ip_address(host).is_private
    else:
        assert "." not in host  # a name with a namespace would be another one's
        assert one(tree, "Service", host)


def test_the_program_reads_what_it_is_told_or_a_page_says_that_it_does_not(
    tree: Tree, name: str
) -> None:
    told = config_of(tree, name).keys() | set(KEYS)
    unread = (EXAMPLE / "README.md").read_text().partition("**Not read.**")[2].partition("\n")[0]
    said = set(re.findall(r"`([A-Z_]+)`", unread))
    assert told - SETTINGS.keys() <= said
    assert not said & SETTINGS.keys()


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
    config = config_of(trees["production"], "production")
    assert (config["ENVIRONMENT"], config["ENABLE_DEBUG"]) == ("production", "false")
    assert config["GEMINI_MODEL"] == "gemini-2.0-flash"  # merged, not replaced


TEACHING = "name-references.yaml"
IN_EXAMPLE = EXAMPLE / "components" / "rollout-names"


@pytest.mark.parametrize("file", [TEACHING, "kustomization.yaml"])
def test_the_example_has_what_teaches_kustomize_within_it(file: str) -> None:
    """So that the folder can be copied by itself; both are the same."""
    assert (IN_EXAMPLE / file).read_text() == (MANIFESTS / "kustomize" / file).read_text()


def test_a_copy_of_the_example_alone_builds_the_same(
    trees: dict[str, Tree], kubectl_program: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "agents"
    shutil.copytree(EXAMPLE, copied)
    found = {name: build(kubectl_program, copied / "overlays" / name) for name in OVERLAYS}
    assert found == trees


def test_kustomize_is_taught_every_name_in_our_kinds() -> None:
    """Each reference of the models has its line; what is none is told apart field by field."""
    taught = yaml.safe_load((MANIFESTS / "kustomize" / TEACHING).read_text())
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
OTHERS = {
    *("target/container", "traffic/annotationPrefix", "spec/version", "spec/by", "spec/reason"),
    *("bake", "progressDeadline", "drain", "minDuration", "maxDuration", "approval/timeout"),
    *("provider/address", "basicAuth/username", "secretRef/key", "bearerTokenFile", "tenant"),
    *("tenantHeader", "tls/caFile", "tls/serverName", "provider/timeout", "interval", "warmup"),
    *("trackMatchers/label", "trackMatchers/value", "matchers/label", "matchers/value"),
    *("metrics/name", "bad/metric", "total/metric", "histogram/metric", "metrics/query"),
    *("noData/hold", "providerError/hold", "action/id", "action/by", "action/reason", "action/at"),
}
"""How fields end whose texts name no object."""


def references() -> Iterator[tuple[str, str, str]]:
    """Kind that is named, kind that names it, and where, from the schemas of our kinds."""
    for definition in definitions():
        (version,) = definition["spec"]["versions"]
        spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
        for path in texts(spec, "spec"):
            ends = [end for end in (*NAMES, *OTHERS) if f"/{path}".endswith(f"/{end}")]
            assert ends, f"{path}: does it name an object? Say so in NAMES or in OTHERS"
            yield from (
                (NAMES[end], definition["spec"]["names"]["kind"], path)
                for end in ends[:1]
                if end in NAMES
            )


def texts(schema: dict[str, Any], path: str) -> Iterator[str]:
    """All fields of free text of a schema, but for those below a map, where Kustomize cannot go."""
    schema = schema.get("items", schema)
    for name, field in schema.get("properties", {}).items():
        text = field.get("items", field)
        if text.get("type") == "string" and "enum" not in text:
            yield f"{path}/{name}"
        yield from texts(field, f"{path}/{name}")
