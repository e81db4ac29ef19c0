"""The printed commands, typed one after the other, beside the real controllers that are left.

Callers come all the while and every answer is counted: none may be lost. Afterwards a release goes
through, since that is what people have moved for.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rollout.sandbox.load import Load
from tests import shop
from tests.controlplane.ports import PortLease
from tests.convert.controllers import ARGO_ROLLOUTS, FLAGGER
from tests.convert.ground import RATE, SPACE, Ground

pytestmark = [pytest.mark.controlplane, pytest.mark.system, pytest.mark.timeout(240)]

Body = dict[str, Any]
CANARIES = "canaries.flagger.app"
THEIRS = "rollouts.argoproj.io"


@pytest.fixture
def ground(tmp_path: Path, kubectl_program: Path) -> Iterator[Ground]:
    with Ground(tmp_path, kubectl_program) as ground:
        yield ground


def renamed(body: Body, name: str) -> Body:
    """Call an object of the shop's, and what it names, otherwise."""
    if isinstance(body, dict):
        return {key: renamed(value, name) for key, value in body.items()}
    if isinstance(body, list):
        return [renamed(one, name) for one in body]
    return name if body == "web" else body


def service(name: str, pods: str) -> Body:
    body = renamed(shop.service(), pods)
    return {**body, "metadata": {"name": name}}


def ingress(name: str) -> Body:
    body = renamed(shop.ingress(), name)
    body["spec"]["rules"][0]["host"] = f"{name}.example.com"
    return body


def deployment(name: str, replicas: int) -> Body:
    """One whose pods serve on for a moment, as any need that are updated under traffic."""
    body = renamed(shop.deployment("v1", replicas), name)
    (container,) = body["spec"]["template"]["spec"]["containers"]
    container["lifecycle"] = {"preStop": {"sleep": {"seconds": 2}}}
    return body


def scaler(name: str, kind: str, group: str) -> Body:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {
            "minReplicas": 3,
            "maxReplicas": 6,
            "scaleTargetRef": {"apiVersion": group, "kind": kind, "name": name},
        },
    }


def argo(name: str, spec: Body) -> Body:
    api = "argoproj.io/v1alpha1"
    return {"apiVersion": api, "kind": "Rollout", "metadata": {"name": name}, "spec": spec}


def by_weight() -> list[Body]:
    """A canary behind ingress-nginx that has the pod template itself, sized by an autoscaler."""
    inside = deployment("web", 0)["spec"]
    strategy = {
        "stableService": "web",
        "canaryService": "web-canary",
        "scaleDownDelaySeconds": 30,
        "trafficRouting": {"nginx": {"stableIngress": "web"}},
        "steps": [{"setWeight": 20}, {"pause": {"duration": "1s"}}],
    }
    spec = {"selector": inside["selector"], "template": inside["template"]}
    return [
        argo("web", {**spec, "strategy": {"canary": strategy}}),
        scaler("web", "Rollout", "argoproj.io/v1alpha1"),
        service("web", "web"),
        service("web-canary", "web"),
        ingress("web"),
    ]


def by_selector() -> list[Body]:
    """A blue-green whose pod template is a Deployment's, which Argo Rollouts keeps at zero."""
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "pay"}
    strategy = {"activeService": "pay", "previewService": "pay-preview"}
    spec = {
        "replicas": 2,
        "workloadRef": {**reference, "scaleDown": "onsuccess"},
        "strategy": {"blueGreen": strategy},
    }
    return [
        deployment("pay", 0),
        argo("pay", spec),
        service("pay", "pay"),
        service("pay-preview", "pay"),
        ingress("pay"),
    ]


def phase(ground: Ground, kind: str, name: str) -> str:
    """Give the phase of an object, or of the only one there is."""
    path = "{.status.phase}" if name else "{.items[*].status.phase}"
    return ground.person.types(f"kubectl get {kind} {name} -n {SPACE} -o jsonpath='{path}'").stdout


def release(ground: Ground) -> None:
    """Ship a version as people do who have moved, and who do not wait for the whole bake."""
    ground.types(f"kubectl set image deployment/web web={shop.IMAGE}:v2 -n {SPACE}")
    ground.until(lambda: phase(ground, "releases", "") == "Baking", "users have it")
    ground.types(f"rollout promote -n {SPACE} && rollout watch -n {SPACE}")


def nothing_is_lost(load: Load) -> None:
    load.stop()
    counted = load.tally.snapshot()
    assert counted.sent > RATE
    assert not counted.lost, counted.lost[:5]


def test_services_leave_argo_rollouts(ground: Ground) -> None:
    ground.applies("web", by_weight())
    ground.applies("pay", by_selector())
    ground.types(f"kubectl scale {THEIRS} web --replicas 3 -n {SPACE}")  # as its autoscaler would
    with PortLease(2) as lease:
        metrics, health = lease.ports
        ports = (f"--metricsport={metrics}", f"--healthzPort={health}")
        ground.runs(
            ARGO_ROLLOUTS, *ports, f"--namespace={SPACE}", "--namespaced", "--leader-elect=false"
        )
        for name in ("web", "pay"):
            ground.until(lambda: phase(ground, THEIRS, name) == "Healthy", f"{name} is Healthy")  # noqa: B023
        loads = {name: ground.called(f"{name}.example.com") for name in ("web", "pay")}
        commands = ground.converted()
        for name in ("web", "pay"):
            ground.moves(name, commands[name])
        release(ground)
    for load in loads.values():
        nothing_is_lost(load)
    assert set(loads["pay"].tally.snapshot().by_version) == {"v1"}
    assert set(loads["web"].tally.snapshot().by_version) == {"v1", "v2"}
    assert ground.selector("web") == {"app": "web"}
    assert ground.names("services") == {"service/web", "service/pay", "service/pay-preview"}
    assert ground.names("ingresses") == {
        f"ingress.networking.k8s.io/{one}" for one in ("web", "pay")
    }
    assert ground.names(THEIRS) == set()


def canary() -> list[Body]:
    """A Deployment that Flagger serves a copy of, behind ingress-nginx, sized by an autoscaler."""
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {
        "provider": "nginx",
        "targetRef": reference,
        "autoscalerRef": {
            **reference,
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
        },
        "ingressRef": {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "web"},
        "service": {"port": 80, "targetPort": "http"},
        "analysis": {"interval": "1s", "threshold": 3, "stepWeights": [20, 50]},
    }
    api = "flagger.app/v1beta1"
    return [
        deployment("web", 3),
        scaler("web", "Deployment", "apps/v1"),
        ingress("web"),
        {"apiVersion": api, "kind": "Canary", "metadata": {"name": "web"}, "spec": spec},
    ]


def test_a_service_leaves_flagger(ground: Ground) -> None:
    ground.applies("web", canary())
    with PortLease(1) as lease:
        (port,) = lease.ports
        options = (f"-port={port}", f"-namespace={SPACE}", "-mesh-provider=nginx")
        ground.runs(
            FLAGGER, *options, "-metrics-server=http://127.0.0.1:9", "-control-loop-interval=1s"
        )
        ground.until(lambda: phase(ground, CANARIES, "web") == "Initialized", "it is Initialized")
        load = ground.called("web.example.com")
        assert ground.selector("web") == {"app": "web-primary"}
        ground.moves("web", ground.converted()["web"])
        release(ground)
    nothing_is_lost(load)
    assert ground.selector("web") == {"app": "web"}
    assert ground.names("services") == {"service/web"}
    assert ground.names("ingresses") == {"ingress.networking.k8s.io/web"}
    assert ground.names("deployments") == {"deployment.apps/web"}
    assert ground.names("hpa") == {"horizontalpodautoscaler.autoscaling/web"}
    assert ground.names(CANARIES) == set()
