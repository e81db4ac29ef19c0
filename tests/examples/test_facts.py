"""Values that every environment has alike, because a service like this one needs them."""

import pytest

from tests.examples.test_trees import deployment
from tests.examples.trees import KNOWN, Tree, one

pytestmark = pytest.mark.controlplane


def test_an_update_never_has_fewer_pods_and_they_are_spread(tree: Tree, name: str) -> None:
    spec = deployment(tree, name)["spec"]
    rolling = {"maxSurge": 1, "maxUnavailable": 0}
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": rolling}
    assert spec["revisionHistoryLimit"] == 5
    template = spec["template"]["spec"]
    (apart,) = template["affinity"]["podAntiAffinity"][
        "preferredDuringSchedulingIgnoredDuringExecution"
    ]
    (spread,) = template["topologySpreadConstraints"]
    chosen = {"matchLabels": spec["selector"]["matchLabels"]}
    assert apart == {
        "weight": 100,
        "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname", "labelSelector": chosen},
    }
    assert spread == {
        "topologyKey": "topology.kubernetes.io/zone",
        "maxSkew": 1,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": chosen,
    }


def test_a_pod_has_the_time_and_the_questions_that_it_needs(tree: Tree, name: str) -> None:
    (container,) = deployment(tree, name)["spec"]["template"]["spec"]["containers"]
    alive = {"httpGet": {"path": "/health", "port": "http"}}
    start = {"initialDelaySeconds": 10, "periodSeconds": 5, "failureThreshold": 30}
    assert container["startupProbe"] == {**alive, **start}
    live = {"periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 3}
    assert container["livenessProbe"] == {**alive, **live}
    ready = {"periodSeconds": 5, "timeoutSeconds": 3, "failureThreshold": 3}
    asked = {"httpGet": {"path": "/ready", "port": "http"}}
    assert container["readinessProbe"] == {**asked, **ready}


def test_users_come_by_tls_and_within_limits(tree: Tree, name: str) -> None:
    ingress = one(tree, "Ingress", KNOWN[name].service)
    (rule,) = ingress["spec"]["rules"]
    assert rule["host"] == KNOWN[name].host
    assert ingress["spec"]["tls"] == [{"hosts": [rule["host"]], "secretName": "gemini-agent-tls"}]
    assert ingress["spec"]["ingressClassName"] == "nginx"
    nginx = "nginx.ingress.kubernetes.io"
    assert ingress["metadata"]["annotations"] == {
        "cert-manager.io/cluster-issuer": "letsencrypt-prod",
        f"{nginx}/limit-rpm": "100",
        f"{nginx}/proxy-body-size": "10m",
        f"{nginx}/proxy-read-timeout": "300",
    }


def test_containers_may_do_nothing_but_their_work(tree: Tree, name: str) -> None:
    template = deployment(tree, name)["spec"]["template"]["spec"]
    assert template["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "runAsGroup": 1000,
        "fsGroup": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for container in (*template["initContainers"], *template["containers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    assert template["volumes"] == [
        {"name": "tmp", "emptyDir": {}},
        {"name": "cache", "emptyDir": {"sizeLimit": "1Gi"}},
    ]


def test_a_service_leads_to_the_port_by_name_and_the_account_is_the_clouds(
    tree: Tree, name: str
) -> None:
    service = one(tree, "Service", KNOWN[name].service)["spec"]
    assert service["type"] == "ClusterIP"
    assert service["ports"] == [{"name": "http", "port": 80, "targetPort": "http"}]
    account = one(tree, "ServiceAccount", KNOWN[name].service)["metadata"]
    assert set(account["annotations"]) == {"iam.gke.io/gcp-service-account"}


def test_the_autoscaler_grows_at_once_and_shrinks_slowly(tree: Tree, name: str) -> None:
    spec = one(tree, "HorizontalPodAutoscaler", KNOWN[name].service)["spec"]
    shares = {
        metric["resource"]["name"]: metric["resource"]["target"]["averageUtilization"]
        for metric in spec["metrics"]
        if metric["type"] == "Resource"
    }
    assert shares == {"cpu": 70, "memory": 80}
    up, down = spec["behavior"]["scaleUp"], spec["behavior"]["scaleDown"]
    assert (up["stabilizationWindowSeconds"], up["selectPolicy"]) == (0, "Max")
    assert [(each["type"], each["value"], each["periodSeconds"]) for each in up["policies"]] == [
        ("Percent", 100, 15),
        ("Pods", 4, 15),
    ]
    assert down["stabilizationWindowSeconds"] == 300
    assert down["policies"] == [{"type": "Percent", "value": 10, "periodSeconds": 60}]


def test_a_drain_is_never_blocked(tree: Tree, name: str) -> None:
    budget = one(tree, "PodDisruptionBudget", KNOWN[name].service)["spec"]
    assert budget["maxUnavailable"] == 1
    assert "minAvailable" not in budget


def test_the_external_secret_is_the_stores(tree: Tree, name: str) -> None:
    """It is where no plain and no sealed Secret takes its place."""
    found = [body for body in tree if body["kind"] == "ExternalSecret"]
    assert len(found) == (name == "staging")
    for body in found:
        assert body["apiVersion"] == "external-secrets.io/v1"
        assert body["spec"]["refreshInterval"] == "1h"
        assert body["spec"]["secretStoreRef"] == {
            "kind": "ClusterSecretStore",
            "name": "gcp-secret-store",
        }
        assert body["spec"]["target"]["creationPolicy"] == "Owner"
