"""The control plane of the tests is a real one, and can be frozen, killed and looked into."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.controlplane.access import Access, Call
from tests.controlplane.build import kubernetes_version
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.components import Component

pytestmark = pytest.mark.controlplane

LABELS = {"app": "web"}
DEPLOYMENT: dict[str, Any] = {
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": LABELS},
        "template": {
            "metadata": {"labels": LABELS},
            "spec": {"containers": [{"name": "web", "image": "web:v1"}]},
        },
    },
}


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether a condition comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def items(client: httpx.Client, address: str) -> list[dict[str, Any]]:
    answer = client.get(address)
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def config_map_address(namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps" + (f"/{name}" if name else "")


def test_it_is_the_version_that_go_mod_names(control_plane: Access) -> None:
    with control_plane.client() as client:
        assert client.get("/version").json()["gitVersion"] == kubernetes_version()
    assert kubernetes_version().startswith("v1.37.")


def test_a_deployment_gets_a_replica_set_and_pending_pods(
    control_plane: Access, namespace: str
) -> None:
    apps = f"/apis/apps/v1/namespaces/{namespace}"
    pods = f"/api/v1/namespaces/{namespace}/pods"
    with control_plane.client() as client:
        client.post(f"{apps}/deployments", json=DEPLOYMENT).raise_for_status()
        assert eventually(lambda: len(items(client, pods)) == 2)
        assert len(items(client, f"{apps}/replicasets")) == 1
        assert {pod["status"]["phase"] for pod in items(client, pods)} == {"Pending"}


def test_a_deleted_owner_takes_its_dependents_along(control_plane: Access, namespace: str) -> None:
    apps = f"/apis/apps/v1/namespaces/{namespace}"
    with control_plane.client() as client:
        client.post(f"{apps}/deployments", json=DEPLOYMENT).raise_for_status()
        assert eventually(lambda: len(items(client, f"{apps}/replicasets")) == 1)
        client.delete(f"{apps}/deployments/web").raise_for_status()
        assert eventually(lambda: items(client, f"{apps}/replicasets") == [])


def test_rbac_refuses_a_user_without_a_role(control_plane: Access, namespace: str) -> None:
    with control_plane.client("alice") as client:
        answer = client.get(config_map_address(namespace))
    assert answer.status_code == 403
    assert 'User "alice" cannot list resource "configmaps"' in answer.json()["message"]


def test_an_unknown_token_is_refused(control_plane: Access) -> None:
    with control_plane.client() as client:
        headers = {"Authorization": "Bearer nobody"}
        assert client.get("/api/v1/namespaces", headers=headers).status_code == 401


def test_the_audit_log_names_user_verb_resource_and_answer(
    control_plane: Access, namespace: str
) -> None:
    since = control_plane.audit_position()
    with control_plane.client("bob") as client:
        client.delete(config_map_address(namespace, "settings"))

    def calls_of_bob() -> list[Call]:
        return [call for call in control_plane.audit(since) if call.namespace == namespace]

    assert eventually(lambda: len(calls_of_bob()) == 1)
    call = calls_of_bob()[0]
    assert (call.user, call.verb, call.resource) == ("bob", "delete", "configmaps")
    assert (call.name, call.code, call.is_write) == ("settings", 403, True)


def test_kubectl_speaks_as_each_user(control_plane: Access, namespace: str) -> None:
    control_plane.kubectl("create", "configmap", "settings", "--from-literal=a=b", "-n", namespace)
    shown = control_plane.kubectl("get", "configmap", "settings", "-n", namespace, "-o", "name")
    assert shown.stdout == "configmap/settings\n"
    assert "alice" in control_plane.kubectl("auth", "whoami", user="alice").stdout


def test_kubectl_applies_what_it_reads_from_standard_input(
    control_plane: Access, namespace: str
) -> None:
    manifest = "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {a: b}}"
    control_plane.kubectl("apply", "-f", "-", stdin=manifest, namespace=namespace)
    with control_plane.client() as client:
        answer = client.get(config_map_address(namespace, "settings"))
    assert answer.json()["data"] == {"a": "b"}


def test_a_failed_kubectl_shows_what_it_wrote(control_plane: Access, namespace: str) -> None:
    with pytest.raises(AssertionError, match="NotFound"):
        control_plane.kubectl("get", "configmap", "missing", namespace=namespace)


def test_a_validating_admission_policy_refuses_with_its_own_words(
    control_plane: Access, namespace: str
) -> None:
    rules = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"]}
    policy = {
        "metadata": {"name": namespace},
        "spec": {
            "matchConstraints": {"resourceRules": [{**rules, "resources": ["configmaps"]}]},
            "validations": [{"expression": "false", "message": "no settings here"}],
        },
    }
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    matches = {"namespaceSelector": selector}
    spec = {"policyName": namespace, "validationActions": ["Deny"], "matchResources": matches}
    api = "/apis/admissionregistration.k8s.io/v1"
    body = {"metadata": {"generateName": "settings-"}}
    with control_plane.client() as client:
        client.post(f"{api}/validatingadmissionpolicies", json=policy).raise_for_status()
        binding = {"metadata": {"name": namespace}, "spec": spec}
        client.post(f"{api}/validatingadmissionpolicybindings", json=binding).raise_for_status()
        address = config_map_address(namespace)
        assert eventually(lambda: client.post(address, json=body).status_code == 422)
        assert "no settings here" in client.post(address, json=body).json()["message"]
        client.delete(f"{api}/validatingadmissionpolicybindings/{namespace}")
        client.delete(f"{api}/validatingadmissionpolicies/{namespace}")


def test_pod_security_refuses_pods_on_the_hosts_network_where_a_namespace_asks_for_it(
    control_plane: Access, namespace: str
) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "baseline"}
    spec = {"hostNetwork": True, "containers": [{"name": "web", "image": "web:v1"}]}
    pod = {"metadata": {"name": "web"}, "spec": spec}
    merge = {"Content-Type": "application/merge-patch+json"}
    with control_plane.client() as client:
        client.patch(
            f"/api/v1/namespaces/{namespace}", json={"metadata": {"labels": labels}}, headers=merge
        ).raise_for_status()
        answer = client.post(f"/api/v1/namespaces/{namespace}/pods", json=pod)
    assert answer.status_code == 403
    assert "violates PodSecurity" in answer.json()["message"]


def test_a_killed_api_server_comes_back_with_its_data(own_control_plane: ControlPlane) -> None:
    address = config_map_address("default", "settings")
    with own_control_plane.access.client() as client:
        body = {"metadata": {"name": "settings"}}
        client.post(config_map_address("default"), json=body).raise_for_status()
        own_control_plane.kill(Component.API_SERVER)
        with pytest.raises(httpx.ConnectError):
            client.get(address)
        own_control_plane.restart(Component.API_SERVER)
        assert client.get(address).is_success


def test_a_frozen_api_server_answers_again_when_it_goes_on(
    own_control_plane: ControlPlane,
) -> None:
    with own_control_plane.access.client() as client:
        own_control_plane.pause(Component.API_SERVER)
        with pytest.raises(httpx.TimeoutException):
            client.get("/version", timeout=0.5)
        own_control_plane.resume(Component.API_SERVER)
        assert client.get("/version").is_success


def test_controllers_go_on_after_a_restart(own_control_plane: ControlPlane) -> None:
    pods = "/api/v1/namespaces/default/pods"
    with own_control_plane.access.client() as client:
        own_control_plane.kill(Component.CONTROLLER_MANAGER)
        deployments = "/apis/apps/v1/namespaces/default/deployments"
        client.post(deployments, json=DEPLOYMENT).raise_for_status()
        own_control_plane.restart(Component.CONTROLLER_MANAGER)
        assert eventually(lambda: len(items(client, pods)) == 2)
