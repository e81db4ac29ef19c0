"""What `rollout install` prints is what Kustomize makes of `manifests/install`."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from rollout.cli.manifests import Extra, objects
from tests import forked
from tests.controlplane.build import ensure_built
from tests.install.installed import MANIFESTS, kustomized

KUBERNETES = "1.37"
FOREIGN = {"monitoring.coreos.com/v1"}
"""What Kubernetes itself does not know; tried with its own CRDs in test_extras.py."""
CLUSTER_WIDE = {
    ("ClusterRole", "rollout-controller"),
    ("ClusterRoleBinding", "rollout-controller"),
}


def named(bodies: Sequence[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(body["kind"], body["metadata"]["name"]): body for body in bodies}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return forked.run(arguments, os.environ, timeout=30)


def printed(*arguments: str) -> list[dict[str, Any]]:
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.mark.controlplane
@pytest.mark.parametrize(
    ("overlay", "options"),
    [
        (".", ()),
        ("overlays/cluster", ()),
        ("overlays/namespace", ("--watch-namespace", "default")),
    ],
)
def test_the_command_prints_what_kustomize_makes(overlay: str, options: tuple[str, ...]) -> None:
    ours = printed("install", *options)
    assert named(ours) == named(kustomized(ensure_built(sys.stderr), MANIFESTS / overlay))
    assert len(ours) == len(named(ours))


@pytest.mark.controlplane
@pytest.mark.parametrize("overlay", [".", "overlays/cluster", "overlays/namespace"])
def test_every_object_is_valid_for_a_current_kubernetes(overlay: str) -> None:
    found = kustomized(ensure_built(sys.stderr), MANIFESTS / overlay)
    assert {"CustomResourceDefinition", "Deployment"} <= {body["kind"] for body in found}
    for body in found:
        kubernetes_validate.validate(body, KUBERNETES, strict=True)


def test_so_is_every_extra() -> None:
    more = [body for body in objects(extras=list(Extra)) if body["apiVersion"] not in FOREIGN]
    assert "NetworkPolicy" in {body["kind"] for body in more}
    for body in more:
        kubernetes_validate.validate(body, KUBERNETES, strict=True)


@pytest.mark.controlplane
@pytest.mark.parametrize("overlay", ["cluster", "namespace"])
def test_each_extra_is_a_component_for_every_overlay(tmp_path: Path, overlay: str) -> None:
    (tmp_path / "manifests").symlink_to(MANIFESTS.parent)
    (tmp_path / "mine").mkdir()
    root = "../manifests/install"
    components = [f"{root}/components/{extra}" for extra in Extra]
    mine = {"resources": [f"{root}/overlays/{overlay}"], "components": components}
    (tmp_path / "mine" / "kustomization.yaml").write_text(yaml.safe_dump(mine))
    watched = ("--watch-namespace", "default") if overlay == "namespace" else ()
    ours = printed("install", "--with", ",".join(Extra), *watched)
    assert named(ours) == named(kustomized(ensure_built(sys.stderr), tmp_path / "mine"))


def test_every_component_can_be_asked_for() -> None:
    assert {folder.name for folder in (MANIFESTS / "components").iterdir()} == set(Extra)


def test_an_extra_is_there_only_when_it_is_asked_for() -> None:
    plain, kinds = named(list(objects())), {"NetworkPolicy", "ServiceMonitor"}
    assert not kinds & {kind for kind, _ in plain}
    for said in (("--with", "network-policy,service-monitor"), *[_twice()]):
        more = named(printed("install", *said)).keys() - plain.keys()
        assert {kind for kind, _ in more} == kinds


def _twice() -> tuple[str, ...]:
    return ("--with", "network-policy", "--with", "service-monitor")


def test_no_object_is_of_a_kind_that_the_same_apply_creates() -> None:
    assert {body["apiVersion"].partition("/")[0] for body in objects()}.isdisjoint({"rollout.dev"})


def test_a_namespace_comes_before_what_is_in_it() -> None:
    kinds = [body["kind"] for body in objects()]
    inside = [body["kind"] for body in objects() if "namespace" in body["metadata"]]
    assert inside
    assert kinds.index("Namespace") < min(map(kinds.index, inside))


@pytest.mark.parametrize(
    "arguments", [("install", "--namespace", "delivery"), ("-n", "delivery", "install")]
)
def test_another_namespace_is_used_everywhere(arguments: tuple[str, ...]) -> None:
    text = run(*arguments).stdout
    assert "rollout-system" not in text
    assert "'system:serviceaccount:delivery:rollout-controller'" in text
    assert named(list(yaml.safe_load_all(text)))["Namespace", "delivery"]


@pytest.mark.parametrize("name", ["123", "null", "yes", "1e3"])
def test_a_namespace_that_yaml_takes_for_something_else_stays_a_name(name: str) -> None:
    text = run("install", "--namespace", name).stdout
    assert f"namespace: '{name}'" in text
    found = named(list(yaml.safe_load_all(text)))
    assert ("Namespace", name) in found
    assert found["Deployment", "rollout-controller"]["metadata"]["namespace"] == name
    assert found["ClusterRoleBinding", "rollout-controller"]["subjects"][0]["namespace"] == name


def test_the_image_is_the_one_asked_for() -> None:
    found = named(printed("install", "--image", "registry.example.com/rollout:1"))
    template = found["Deployment", "rollout-controller"]["spec"]["template"]
    assert template["spec"]["containers"][0]["image"] == "registry.example.com/rollout:1"


def test_a_watched_namespace_is_the_only_one_with_rights() -> None:
    found = named(printed("install", "--watch-namespace", "shop"))
    assert not [kind for kind, name in found if (kind, name) in CLUSTER_WIDE]
    binding = found["RoleBinding", "rollout-controller"]
    role = found["Role", "rollout-controller"]
    assert binding["metadata"]["namespace"] == role["metadata"]["namespace"] == "shop"
    assert binding["roleRef"]["kind"] == "Role"
    assert binding["subjects"][0]["namespace"] == "rollout-system"
    (container,) = found["Deployment", "rollout-controller"]["spec"]["template"]["spec"][
        "containers"
    ]
    assert "--namespace=$(WATCH_NAMESPACE)" in container["args"]
    assert {"name": "WATCH_NAMESPACE", "value": "shop"} in container["env"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--namespace", "Delivery"),
        ("--namespace", "a' || true || 'b"),
        ("--watch-namespace", "shop/web"),
        ("--image", "two words"),
        ("--image", ""),
        ("--with", "ingress"),
    ],
)
def test_what_cannot_be_is_refused(option: str, value: str) -> None:
    done = run("install", option, value)
    assert done.returncode == 2
    assert f"{option}: {value!r} is not" in done.stderr
    assert "note:" not in done.stderr  # it is about what would be printed
    assert done.stdout == ""
