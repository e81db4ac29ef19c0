"""The commands that ship something known, as processes against the practice API server."""

import json

import pytest
import yaml

from rollout.kube.client import HttpCluster
from rollout.report.exit_codes import ExitCode
from rollout.resources.words import RESTORE
from rollout.resources.writes import Kind, Patch, PatchType
from tests import build
from tests.cli.test_cli import Run, cluster, create, run, say, server

__all__ = ["cluster", "run", "server"]
pytestmark = pytest.mark.system


def set_image(cluster: HttpCluster, tag: str, **more: object) -> None:
    spec = build.deployment(image=f"registry.local/web:{tag}")["spec"]["template"]["spec"]
    body = {"spec": {"template": {"spec": spec}}, **more}
    cluster.apply(Patch(Kind.DEPLOYMENT, "default", "web", PatchType.MERGE, body))


def test_undo_says_what_it_brings_back(cluster: HttpCluster, run: Run) -> None:
    create(cluster, *build.shop(replicas=0)[:-1])
    set_image(cluster, "v2")
    body = {"spec": {"replicas": 2}}
    cluster.apply(Patch(Kind.DEPLOYMENT, "default", "web", PatchType.MERGE, body))
    done = run("undo", "--reason", "orders are lost")
    assert done.returncode == 0, done.stderr
    assert "registry.local/web:v1 is brought back, as ReplicaSet web-" in done.stdout
    release = cluster.list(Kind.RELEASE, "default").items[0]
    assert release["spec"]["fast"] is True
    assert release["spec"]["reason"] == "orders are lost"
    assert release["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":v1")


@pytest.mark.parametrize("command", [["undo"], ["restart"], ["discard-edit"], ["retry", "web-v2"]])
def test_beside_a_release_that_runs_each_is_refused(
    cluster: HttpCluster, run: Run, command: list[str]
) -> None:
    create(cluster, *build.shop())
    say(cluster)
    done = run(*command)
    assert done.returncode == ExitCode.ERROR
    assert "release web-v2 is Progressing: wait for its end" in done.stderr
    assert len(cluster.list(Kind.RELEASE, "default").items) == 1


def test_while_one_goes_back_no_second_rollback_is_advised(cluster: HttpCluster, run: Run) -> None:
    create(cluster, *build.shop())
    say(cluster, phase="RollingBack")
    said = run("start", "v3").stderr
    assert said == "rollout: release web-v2 is RollingBack: wait for its end\n"


def test_retry_names_the_new_release_for_programs(cluster: HttpCluster, run: Run) -> None:
    create(cluster, *build.shop())
    say(cluster, phase="Failed")
    made = json.loads(run("retry", "-o", "json").stdout)
    assert made["spec"]["version"] == "v2"
    assert made["metadata"]["name"].startswith("web-v2-")


@pytest.mark.parametrize("command", [["restart"], ["ops", "restart"]], ids=" ".join)
def test_restart_asks_for_new_pods_of_the_same(
    cluster: HttpCluster, run: Run, command: list[str]
) -> None:
    create(cluster, *build.shop()[:-1])
    done = run(*command, "web")
    assert done.returncode == 0, done.stderr
    template = cluster.list(Kind.RELEASE, "default").items[0]["spec"]["template"]
    assert list(template["metadata"]["annotations"]) == ["kubectl.kubernetes.io/restartedAt"]


def test_discard_edit_prints_what_it_drops(cluster: HttpCluster, run: Run) -> None:
    create(cluster, *build.shop()[:-1])
    body = {
        "metadata": {"annotations": {RESTORE: '{"spec.paused": false}'}},
        "spec": {"paused": True},
    }
    cluster.apply(Patch(Kind.DEPLOYMENT, "default", "web", PatchType.MERGE, body))
    set_image(cluster, "v9")
    done = run("discard-edit", "-o", "yaml")
    assert done.returncode == 0, done.stderr
    shown = yaml.safe_load(done.stdout)
    assert shown["discarded"]["spec"]["containers"][0]["image"].endswith(":v9")
    found = cluster.get(Kind.DEPLOYMENT, "default", "web")
    assert found["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":v1")
    assert not found["spec"].get("paused")
    assert run("discard-edit").returncode == ExitCode.ERROR
