"""The namespace is held to the restricted Pod Security standard, by the real admission plugin."""

import copy
import json
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import pytest

from rollout.cli.manifests import objects
from tests.controlplane.access import Access
from tests.install.installed import install_rights

pytestmark = [pytest.mark.system, pytest.mark.controlplane]
Spec: TypeAlias = dict[str, Any]
DEPLOYMENT: Final = next(one for one in objects() if one["kind"] == "Deployment")


def container(spec: Spec) -> dict[str, Any]:
    found: dict[str, Any] = spec["containers"][0]
    return found


def as_root(spec: Spec) -> None:
    spec["securityContext"] |= {"runAsUser": 0}


def not_said_to_be_no_root(spec: Spec) -> None:
    del spec["securityContext"]["runAsNonRoot"]


def unconfined(spec: Spec) -> None:
    del spec["securityContext"]["seccompProfile"]


def gaining(spec: Spec) -> None:
    container(spec)["securityContext"]["allowPrivilegeEscalation"] = True


def capable(spec: Spec) -> None:
    container(spec)["securityContext"]["capabilities"] = {"drop": ["ALL"], "add": ["NET_ADMIN"]}


def on_the_host(spec: Spec) -> None:
    spec["hostNetwork"] = True


def with_a_host_path(spec: Spec) -> None:
    spec["volumes"] = [{"name": "host", "hostPath": {"path": "/"}}]


def ask(plane: Access, change: Callable[[Spec], None]) -> str:
    """What the server says to a pod of the Deployment, changed in one way; nothing is created."""
    template = copy.deepcopy(DEPLOYMENT["spec"]["template"])
    change(template["spec"])
    metadata = {**template["metadata"], "name": "probe", "namespace": "rollout-system"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
    asked = ("create", "--dry-run=server", "-o", "name", "-f", "-")
    return plane.kubectl(*asked, stdin=json.dumps(pod), check=False).stderr


def test_the_controllers_own_pods_are_let_in_without_a_warning(control_plane: Access) -> None:
    install_rights(control_plane)
    assert ask(control_plane, lambda _: None) == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (as_root, "runAsUser=0"),
        (not_said_to_be_no_root, "runAsNonRoot != true"),
        (unconfined, "seccompProfile"),
        (gaining, "allowPrivilegeEscalation != false"),
        (capable, "unrestricted capabilities"),
        (on_the_host, "host namespaces"),
        (with_a_host_path, "restricted volume types"),
    ],
    ids=lambda one: one.__name__ if callable(one) else None,
)
def test_a_pod_that_could_do_more_is_refused(
    control_plane: Access, change: Callable[[Spec], None], said: str
) -> None:
    install_rights(control_plane)
    refused = ask(control_plane, change)
    assert 'violates PodSecurity "restricted:latest"' in refused
    assert said in refused
