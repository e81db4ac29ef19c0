"""What `rollout install` prints is what Kustomize makes of `manifests/install`."""

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
import yaml

from rollout.cli.manifests import objects
from tests.controlplane.build import ensure_built
from tests.install.installed import kustomized


def named(bodies: Sequence[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(body["kind"], body["metadata"]["name"]): body for body in bodies}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rollout", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def printed(*arguments: str) -> list[dict[str, Any]]:
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.mark.controlplane
def test_the_command_prints_what_kustomize_makes() -> None:
    ours = printed("install")
    assert named(ours) == named(kustomized(ensure_built(sys.stderr)))
    assert len(ours) == len(named(ours))


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


def test_the_image_is_the_one_asked_for() -> None:
    found = named(printed("install", "--image", "registry.example.com/rollout:1"))
    template = found["Deployment", "rollout-controller"]["spec"]["template"]
    assert template["spec"]["containers"][0]["image"] == "registry.example.com/rollout:1"


def test_a_watched_namespace_is_the_only_one_with_rights() -> None:
    found = named(printed("install", "--watch-namespace", "shop"))
    assert ("ClusterRoleBinding", "rollout-controller") not in found
    binding = found["RoleBinding", "rollout-controller"]
    assert binding["metadata"]["namespace"] == "shop"
    assert binding["subjects"][0]["namespace"] == "rollout-system"
    template = found["Deployment", "rollout-controller"]["spec"]["template"]
    assert "--namespace=shop" in template["spec"]["containers"][0]["args"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--namespace", "Delivery"),
        ("--namespace", "a' || true || 'b"),
        ("--watch-namespace", "shop/web"),
        ("--image", "two words"),
        ("--image", ""),
    ],
)
def test_what_cannot_be_is_refused(option: str, value: str) -> None:
    done = run("install", option, value)
    assert done.returncode == 2
    assert f"{option}: {value!r} is not" in done.stderr
    assert done.stdout == ""
