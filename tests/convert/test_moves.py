"""What the printed commands name; that they work is seen in test_cutover.py."""

from typing import Any

import yaml

from rollout.convert.conversion import Conversion, convert
from rollout.convert.documents import documents
from tests import shop

REFERENCE = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}


def argo(**spec: Any) -> dict[str, Any]:
    api = "argoproj.io/v1alpha1"
    whole = {"workloadRef": REFERENCE, "strategy": {"canary": {}}, **spec}
    return {"apiVersion": api, "kind": "Rollout", "metadata": {"name": "web"}, "spec": whole}


def canary(name: str, **spec: Any) -> dict[str, Any]:
    target = {**REFERENCE, "name": name}
    whole = {"targetRef": target, "service": {"port": 80}, "analysis": {"stepWeight": 10}, **spec}
    api = "flagger.app/v1beta1"
    return {"apiVersion": api, "kind": "Canary", "metadata": {"name": name}, "spec": whole}


def converted(*bodies: dict[str, Any]) -> Conversion:
    return convert(documents(yaml.safe_dump_all(bodies), "all.yaml", "-f one.yaml -f two.yaml"))


def commands(found: Conversion, name: str) -> list[str]:
    ((_, moves),) = [one for one in found.steps if one[0].endswith(name)]
    return [move.command for move in moves]


def test_moving_one_of_two_touches_nothing_of_the_other() -> None:
    found = converted(canary("web", provider="nginx"), canary("api", provider="nginx"))
    for own, other in (("web", "api"), ("api", "web")):
        lines = commands(found, own)
        assert not [line for line in lines if other in line]
        piped = [line for line in lines if line.startswith("rollout convert")]
        assert all(line.startswith("rollout convert -f one.yaml -f two.yaml ") for line in piped)
        applied = [part for line in piped for part in line.split() if "/" in part]
        assert applied == [f"Service/{own}", f"RolloutPolicy/{own}", f"Rollout/{own}"]


def test_a_deployment_that_was_kept_at_zero_is_not_written_with_zero() -> None:
    found = converted(argo(), shop.deployment("v1", 0))
    (deployment,) = (one for one in found.drafts if one.kind == "Deployment")
    assert "replicas" not in deployment.body["spec"]
    assert "It said replicas: 0" in found.text


def test_a_deployment_keeps_the_figure_of_the_rollout() -> None:
    found = converted(argo(replicas=5), shop.deployment("v1", 0))
    (deployment,) = (one for one in found.drafts if one.kind == "Deployment")
    assert deployment.body["spec"]["replicas"] == 5


def test_nothing_is_moved_that_is_no_deployment() -> None:
    found = converted(argo(workloadRef={**REFERENCE, "kind": "StatefulSet"}))
    assert found.steps == ()


def test_an_autoscaler_is_turned_with_what_is_ours() -> None:
    target = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web"}
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "by-cpu"},
        "spec": {"maxReplicas": 9, "scaleTargetRef": target},
    }
    *_, handed, _ = commands(converted(argo(), scaler), "web")
    assert "--only HorizontalPodAutoscaler/by-cpu --only RolloutPolicy/web" in handed


def edits(**spec: Any) -> list[str]:
    lines = commands(converted(canary("web", **spec)), "web")
    return [line for line in lines if line.startswith("kubectl edit")]


def test_a_route_of_a_mesh_is_turned_before_anything_is_removed() -> None:
    assert edits(provider="gatewayapi:v1") == ["kubectl edit httproute web"]
    assert edits(provider="nginx") == []
    assert edits(ingressRef={"apiVersion": "networking.k8s.io/v1", "name": "web"}) == []
    lines = commands(converted(canary("web")), "web")
    turned = lines.index("kubectl edit ROUTE web")
    removed = [at for at, line in enumerate(lines) if line.startswith("kubectl delete")]
    assert min(removed) > turned
