"""What is installed when it is asked for: a NetworkPolicy, and a ServiceMonitor."""

import copy
import json
from typing import Any, Final

import pytest

from rollout.cli.manifests import Extra, objects
from tests.controlplane.access import Access
from tests.foreign import install_foreign
from tests.install.grounds import until
from tests.install.installed import install_rights
from tests.install.policies import Pod, Policy

BODIES: Final = {(one["kind"], one["metadata"]["name"]): one for one in objects(extras=list(Extra))}
POLICY: Final = BODIES["NetworkPolicy", "rollout-controller"]
MONITOR: Final = BODIES["ServiceMonitor", "rollout-controller"]
POD: Final = BODIES["Deployment", "rollout-controller"]["spec"]["template"]
SERVICE: Final = BODIES["Service", "rollout-controller"]
PORTS: Final = {
    port["name"]: port["containerPort"] for port in POD["spec"]["containers"][0]["ports"]
}


HERE: Final = Policy(POLICY, PORTS)
POD_ELSEWHERE: Final = Pod("shop")
OUTSIDE: Final = "192.0.2.7"
"""Such as a node, which is no pod."""


def allows(side: str, port: int, protocol: str = "TCP", *, pod: bool = False) -> bool:
    """Whether something is let through, to or from a pod of the cluster or (else) others."""
    return HERE.allows(side, POD_ELSEWHERE if pod else OUTSIDE, port, protocol)


def test_the_policy_is_for_the_controllers_pods_both_ways() -> None:
    chosen = POLICY["spec"]["podSelector"]["matchLabels"]
    assert chosen
    assert chosen.items() <= POD["metadata"]["labels"].items()
    assert POLICY["metadata"]["namespace"] == "rollout-system"
    assert set(POLICY["spec"]["policyTypes"]) == {"Ingress", "Egress"}


def test_only_the_api_and_the_metrics_can_be_reached() -> None:
    assert {port for port in range(1, 65536) if allows("ingress", port, pod=True)} == {8080, 8081}
    assert allows("ingress", 8081), "the kubelet is no pod"
    assert not allows("ingress", 8080, "UDP")


def test_what_the_controller_asks_can_be_asked_and_no_more() -> None:
    assert allows("egress", 53, "UDP")
    assert allows("egress", 53)
    assert allows("egress", 443)
    assert allows("egress", 6443)
    assert allows("egress", 9090, pod=True), "Prometheus in the cluster, and pods' metrics"
    outside = {port for port in range(1, 65536) if allows("egress", port)}
    assert outside == {53, 443, 6443}
    assert not allows("egress", 9090, "UDP", pod=True)


def test_the_monitor_finds_the_service_and_its_port() -> None:
    chosen = MONITOR["spec"]["selector"]["matchLabels"]
    assert chosen
    assert chosen.items() <= SERVICE["metadata"]["labels"].items()
    (endpoint,) = MONITOR["spec"]["endpoints"]
    (port,) = [one for one in SERVICE["spec"]["ports"] if one["name"] == endpoint["port"]]
    assert PORTS[port["targetPort"]] == 8081
    assert endpoint["path"] == "/metrics"


@pytest.fixture(scope="module")
def plane(control_plane: Access) -> Access:
    """A cluster with our installation, and with the kinds of the Prometheus Operator."""
    install_rights(control_plane)
    install_foreign(control_plane)
    get = ("get", "servicemonitors", "-A")
    until(lambda: not control_plane.kubectl(*get, check=False).returncode, "they are served")
    return control_plane


def checked(plane: Access, body: dict[str, Any]) -> str:
    """What the real API server says to an object: empty when it takes it without a warning."""
    strict = ("create", "--dry-run=server", "--validate=strict", "-o", "name", "-f", "-")
    return plane.kubectl(*strict, stdin=json.dumps(body), check=False).stderr


@pytest.mark.system
@pytest.mark.controlplane
@pytest.mark.parametrize("body", [POLICY, MONITOR], ids=lambda body: str(body["kind"]))
def test_a_real_api_server_takes_it(plane: Access, body: dict[str, Any]) -> None:
    assert checked(plane, body) == ""


@pytest.mark.system
@pytest.mark.controlplane
@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("interval", "often", "spec.endpoints[0].interval"), ("every", "30s", "unknown field")],
)
def test_the_operators_own_schema_is_asked(
    plane: Access, field: str, value: str, said: str
) -> None:
    body = copy.deepcopy(MONITOR)
    body["spec"]["endpoints"][0][field] = value
    assert said in checked(plane, body)
