"""kubectl, the independent judge of the practice API server: people practise with it."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from rollout.kube.client import HttpCluster
from rollout.sandbox.agent import NodeAgent, Settings
from rollout.sandbox.apiserver import ApiServer
from tests import shop
from tests.controlplane.build import ensure_built

pytestmark = [pytest.mark.system, pytest.mark.controlplane]
Kubectl = Callable[..., str]


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer() as server:
        cluster = HttpCluster.for_server(server.url, server.token)
        with NodeAgent(cluster, Settings(namespace="default")):
            yield server
        cluster.close()


@pytest.fixture
def kubectl(server: ApiServer, tmp_path: Path) -> Kubectl:
    kubeconfig = server.write_kubeconfig(tmp_path / "kubeconfig")
    program = str(ensure_built(sys.stderr))

    def call(*arguments: str, stdin: str | None = None, code: int = 0) -> str:
        done = subprocess.run(
            [program, "kubectl", "--kubeconfig", str(kubeconfig), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=40,
            check=False,
            env={"HOME": str(tmp_path), "KUBECACHEDIR": str(tmp_path / "cache")},
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    return call


def manifest() -> str:
    return yaml.safe_dump_all([shop.deployment("v1", 2), shop.service(), shop.ingress()])


def test_a_service_is_applied_watched_changed_and_deleted(kubectl: Kubectl) -> None:
    assert "deployment.apps/web created" in kubectl("apply", "-f", "-", stdin=manifest())
    assert "unchanged" in kubectl("apply", "-f", "-", stdin=manifest())
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/web")
    kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=20s")
    assert "2/2" in kubectl("get", "deployment", "web")

    assert "scaled" in kubectl("scale", "deployment/web", "--replicas=3")
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    assert len(kubectl("get", "pods", "-o", "name").splitlines()) == 3

    assert "image updated" in kubectl("set", "image", "deployment/web", "web=sample/web:v2")
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    assert "sample/web:v2" in kubectl("get", "deployment", "web", "-o", "yaml")

    kubectl("patch", "service", "web", "-p", '{"spec":{"selector":{"tier":"front"}}}')
    found = json.loads(kubectl("get", "service", "web", "-o", "json"))
    assert found["spec"]["selector"] == {"app": "web", "tier": "front"}

    assert 'deployment.apps "web" deleted' in kubectl("delete", "deployment", "web")
    kubectl("wait", "--for=delete", "pod", "-l", "app=web", "--timeout=20s")
    assert "not found" in kubectl("get", "deployment", "web", code=1)


def test_people_learn_who_they_are(kubectl: Kubectl) -> None:
    shown = kubectl("auth", "whoami")
    assert "admin" in shown
    assert "system:masters" in shown


def test_our_kinds_are_known_with_columns_and_short_names(kubectl: Kubectl) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rollout", "crds"], capture_output=True, text=True, check=True
    )
    assert done.stdout.count("kind: CustomResourceDefinition") == 3
    kubectl("apply", "-f", "-", stdin=done.stdout)
    kubectl("wait", "--for=condition=Established", "crd/releases.rollout.dev", "--timeout=10s")
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump(shop.rollout()))
    assert "DEPLOYMENT" in kubectl("get", "ro")
    bad = shop.rollout()
    bad["spec"]["historyLimit"] = 0
    assert "historyLimit" in kubectl("apply", "-f", "-", stdin=yaml.safe_dump(bad), code=1)
