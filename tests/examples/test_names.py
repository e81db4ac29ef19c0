"""What the component for Kustomize makes of every name in our kinds, by a real build."""

import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from rollout.resources.policy import RolloutPolicy
from rollout.resources.release import Release
from rollout.resources.rollout import Rollout
from tests.controlplane.build import ensure_built
from tests.examples.trees import MANIFESTS, Tree, build, one

pytestmark = pytest.mark.controlplane


def secret(name: str = "prometheus") -> dict[str, Any]:
    return {"secretRef": {"name": name, "key": "value"}}


PROVIDER: Final = {
    "kind": "Prometheus",
    "address": "https://prometheus.monitoring:9090",
    "secretHeaders": {"X-Api-Key": secret()},
    "tls": {"ca": secret(), "certificate": secret(), "key": secret()},
}
TOKEN: Final = {**PROVIDER, "bearerToken": secret()}
PASSWORD: Final = {**PROVIDER, "basicAuth": {"username": "shop", "password": secret()}}
OURS: Final = {"Rollout": Rollout, "Release": Release, "RolloutPolicy": RolloutPolicy}


def ours(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """An object of ours that names others; it is one that we take."""
    head = {"apiVersion": "rollout.dev/v1alpha1", "kind": kind}
    body = {**head, "metadata": {"name": name}, "spec": spec}
    OURS[kind].model_validate(body)
    return body


def plain(kind: str, name: str, version: str = "v1") -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}}


BLUE_GREEN: Final = {"blueGreen": {"previewService": "preview"}}
TREE: Final = (
    plain("Secret", "prometheus"),
    plain("Service", "web"),
    plain("Service", "preview"),
    plain("Ingress", "web", "networking.k8s.io/v1"),
    plain("Deployment", "web", "apps/v1"),
    ours(
        "Rollout",
        "web",
        {
            "target": {"deployment": "web"},
            "traffic": {"services": ["web"], "ingresses": ["web"]},
            "strategy": BLUE_GREEN,
            "policy": {"inline": {"provider": TOKEN}},
        },
    ),
    ours(
        "Release",
        "web-v2",
        {
            "rollout": "web",
            "version": "v2",
            "overrides": {"strategy": BLUE_GREEN, "policy": {"inline": {"provider": PASSWORD}}},
        },
    ),
    ours(
        "Release",
        "web-v3",
        {"rollout": "web", "version": "v3", "overrides": {"policy": {"name": "strict"}}},
    ),
    ours("RolloutPolicy", "strict", {"provider": PASSWORD}),
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """All of it, after a prefix, in a tree that has the component."""
    folder = tmp_path_factory.mktemp("names")
    (folder / "component").symlink_to(MANIFESTS / "kustomize")
    (folder / "all.yaml").write_text(yaml.safe_dump_all(TREE))
    kustomization = {"namePrefix": "eu-", "resources": ["all.yaml"], "components": ["component"]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return build(ensure_built(sys.stderr), Path(folder))


def test_every_object_is_renamed(tree: Tree) -> None:
    names = {(body["kind"], body["metadata"]["name"]) for body in tree}
    assert names == {(body["kind"], f"eu-{body['metadata']['name']}") for body in TREE}


def test_a_rollout_names_them_as_they_are_then(tree: Tree) -> None:
    spec = one(tree, "Rollout", "eu-web")["spec"]
    assert spec["target"] == {"deployment": "eu-web"}
    assert spec["traffic"] == {"services": ["eu-web"], "ingresses": ["eu-web"]}
    assert spec["strategy"] == {"blueGreen": {"previewService": "eu-preview"}}
    provider = spec["policy"]["inline"]["provider"]
    assert provider["bearerToken"] == secret("eu-prometheus")
    tls_follows(provider)


def test_a_release_names_them_as_they_are_then(tree: Tree) -> None:
    spec = one(tree, "Release", "eu-web-v2")["spec"]
    assert spec["rollout"] == "eu-web"
    assert spec["overrides"]["strategy"] == {"blueGreen": {"previewService": "eu-preview"}}
    password_follows(spec["overrides"]["policy"]["inline"]["provider"])
    by_name = one(tree, "Release", "eu-web-v3")["spec"]
    assert by_name["overrides"]["policy"] == {"name": "eu-strict"}


def test_a_policy_names_them_as_they_are_then(tree: Tree) -> None:
    password_follows(one(tree, "RolloutPolicy", "eu-strict")["spec"]["provider"])


def password_follows(provider: dict[str, Any]) -> None:
    assert provider["basicAuth"]["password"] == secret("eu-prometheus")
    tls_follows(provider)


def tls_follows(provider: dict[str, Any]) -> None:
    """All that a provider has besides; a map is the exception that docs/install.md names."""
    assert set(provider["tls"]) == {"ca", "certificate", "key"}
    for value in provider["tls"].values():
        assert value == secret("eu-prometheus")
    assert provider["secretHeaders"] == {"X-Api-Key": secret("prometheus")}
