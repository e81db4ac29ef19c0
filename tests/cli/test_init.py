"""`rollout init` as a process, against the practice API server."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollout.kube.client import HttpCluster
from rollout.report.exit_codes import ExitCode
from rollout.resources.policy import RolloutPolicy, RolloutPolicySpec
from rollout.resources.rollout import Rollout
from rollout.resources.writes import Kind, Patch, PatchType
from rollout.sandbox.apiserver import ApiServer
from tests import build
from tests.cli.test_cli import Run, cluster, create, run, server
from tests.terminal import on_terminal

__all__ = ["cluster", "run", "server"]
pytestmark = pytest.mark.system


def scaler(metric: str) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": 80}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "maxReplicas": 9,
            "metrics": [{"type": "Resource", "resource": {"name": metric, "target": target}}],
        },
    }


def test_it_prints_a_rollout_with_what_was_found_and_assumed(
    cluster: HttpCluster, run: Run
) -> None:
    create(cluster, build.deployment(), build.service(), build.ingress(), scaler("memory"))
    done = run("init")
    assert done.returncode == 0, done.stderr
    for said in (
        "# Found:",
        "# - container web with image registry.local/web:v1",
        "# - Services: web",
        "# - Ingresses: web (class nginx)",
        "# - autoscaler web, which follows memory or a Value metric",
        "# - strategy canary, as an Ingress can weigh requests",
        "# - metrics are read from the pods, but the pod template has no annotation",
        "# Share of requests in percent.",
    ):
        assert said in done.stdout
    found = Rollout.model_validate(yaml.safe_load(done.stdout))
    assert found.spec.target.container == "web"
    canary = found.spec.strategy.canary
    assert canary is not None
    assert [step.weight for step in canary.steps] == [5, 20, 50]
    assert cluster.list(Kind.ROLLOUT, "default").items == ()


def test_what_it_prints_is_what_it_applies(cluster: HttpCluster, run: Run) -> None:
    create(cluster, build.deployment(), build.service(), build.ingress())
    printed = list(yaml.safe_load_all(run("init", "--policy").stdout))
    for_programs = run("init", "--policy", "-o", "yaml").stdout
    assert "&id" not in for_programs, "an alias, which few expect in YAML"
    done = run("init", "--policy", "--apply")
    assert done.returncode == 0, done.stderr
    assert "created: `rollout start VERSION` begins a release" in done.stderr
    assert "assumed: strategy canary" in done.stderr
    policy = cluster.get(Kind.ROLLOUT_POLICY, "default", "web")
    rollout = cluster.get(Kind.ROLLOUT, "default", "web")
    assert RolloutPolicy.model_validate(policy).spec == RolloutPolicySpec()
    assert RolloutPolicy.model_validate(printed[0]).spec == RolloutPolicySpec()
    assert Rollout.model_validate(rollout).spec == Rollout.model_validate(printed[1]).spec
    assert run("start", "v2").returncode == 0


def test_it_writes_a_file_once(cluster: HttpCluster, run: Run, tmp_path: Path) -> None:
    create(cluster, build.deployment(), build.service(), build.ingress())
    file = tmp_path / "rollout.yaml"
    assert run("init", "--write", str(file)).returncode == 0
    text = file.read_text()
    assert yaml.safe_load(text)["kind"] == "Rollout"
    again = run("init", "--strategy", "blue-green", "--write", str(file))
    assert again.returncode == ExitCode.ERROR
    assert "exists already" in again.stderr
    assert file.read_text() == text


def test_without_an_ingress_it_assumes_blue_green(cluster: HttpCluster, run: Run) -> None:
    create(cluster, build.deployment(), build.service())
    done = run("init", "-o", "json")
    told = json.loads(done.stdout)
    assert "blueGreen" in told["objects"][0]["spec"]["strategy"]
    assert any("blue-green, as no Ingress" in said for said in told["assumed"])
    assert told["inTheWay"] == []


def test_of_several_containers_it_says_which_it_took(cluster: HttpCluster, run: Run) -> None:
    body = build.deployment()
    body["spec"]["template"]["spec"]["containers"].insert(0, {"name": "proxy", "image": "p:1"})
    create(cluster, body, build.service(), build.ingress())
    done = run("init")
    assert "the version is the image of container web (there are also: proxy)" in done.stdout
    assert Rollout.model_validate(yaml.safe_load(done.stdout)).spec.target.container == "web"
    chosen = run("init", "--container", "proxy")
    assert yaml.safe_load(chosen.stdout)["spec"]["target"]["container"] == "proxy"


def test_what_is_in_the_way_is_printed_and_keeps_it_from_being_applied(
    cluster: HttpCluster, run: Run, tmp_path: Path
) -> None:
    service = build.service()
    service["spec"]["publishNotReadyAddresses"] = True
    other = {**service, "metadata": {**service["metadata"], "name": "web-admin"}}
    create(cluster, build.deployment(), service, other, build.ingress())
    assert "# In the way:\n# - Service web has publishNotReadyAddresses: true" in run("init").stdout
    file = tmp_path / "rollout.yaml"
    done = run("init", "--policy", "--write", str(file), "--apply")
    assert done.returncode == ExitCode.ERROR
    assert "Service web has publishNotReadyAddresses: true" in done.stderr
    assert "Service web-admin has publishNotReadyAddresses: true" in done.stderr
    assert not file.exists(), "it would be in the way of the next try"
    assert cluster.list(Kind.ROLLOUT, "default").items == ()
    assert cluster.list(Kind.ROLLOUT_POLICY, "default").items == ()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["init"], "There are 2 in namespace default"),
        (["init", "wbe"], "there is no Deployment wbe"),
        (["init", "web", "--container", "x"], "has no such container (it has: web)"),
        (["init", "web", "--strategy", "linear"], "use canary or blue-green"),
    ],
)
def test_what_is_not_clear_is_refused_and_not_asked_for(
    cluster: HttpCluster, run: Run, arguments: list[str], said: str
) -> None:
    create(cluster, build.deployment(), build.deployment("api"), build.service(), build.ingress())
    done = run(*arguments)
    assert done.returncode == ExitCode.ERROR
    assert said in done.stderr


def test_a_deployment_that_has_a_rollout_needs_no_other(cluster: HttpCluster, run: Run) -> None:
    create(cluster, *build.shop()[:-1])
    done = run("init", "web")
    assert done.returncode == ExitCode.ERROR
    assert "Deployment web has Rollout web already" in done.stderr


def test_all_or_nothing_is_created(cluster: HttpCluster, run: Run) -> None:
    create(cluster, build.deployment(), build.service(), build.ingress())
    body = {"spec": {"versions": [_refusing(cluster)]}}
    name = "rollouts.rollout.dev"
    cluster.apply(Patch(Kind.CUSTOM_RESOURCE_DEFINITION, "", name, PatchType.MERGE, body))
    done = run("init", "--policy", "--apply")
    assert done.returncode == ExitCode.ERROR
    assert cluster.list(Kind.ROLLOUT_POLICY, "default").items == ()


def _refusing(cluster: HttpCluster) -> Any:
    """Have the server refuse every Rollout: its history may have no length."""
    found = cluster.get(Kind.CUSTOM_RESOURCE_DEFINITION, "", "rollouts.rollout.dev")
    version = found["spec"]["versions"][0]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["required"] = [*spec.get("required", ()), "historyLimit"]
    spec["properties"]["historyLimit"].pop("default", None)
    return version


def test_on_a_terminal_it_asks_which(
    cluster: HttpCluster, server: ApiServer, tmp_path: Path
) -> None:
    create(cluster, build.deployment(), build.deployment("api"), build.service(), build.ingress())
    kubeconfig = server.write_kubeconfig(tmp_path / "kubeconfig")
    command = [sys.executable, "-m", "rollout", "--kubeconfig", str(kubeconfig), "init"]
    shown = on_terminal(command, typed=b"web\n")
    assert shown.code == 0, shown.text
    assert "Which Deployment (" in shown.text
    assert "kind: Rollout" in shown.text
