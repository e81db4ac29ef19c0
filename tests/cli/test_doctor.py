"""`rollout doctor` as a process: its exit codes, its forms, and a practice cluster that is well."""

import json
import os
import subprocess
import time

import httpx
import pytest

from rollout.kube.client import HttpCluster
from rollout.report.exit_codes import ExitCode
from rollout.sandbox.practice import ADDRESSES, PracticeCluster
from tests import build, forked, shop
from tests.cli.test_cli import Run, cluster, create, run, server

__all__ = ["cluster", "run", "server"]
pytestmark = pytest.mark.system


def test_a_problem_ends_with_1_and_has_its_mend_below(cluster: HttpCluster, run: Run) -> None:
    create(cluster, *build.shop()[:-1])
    done = run("doctor")
    assert done.returncode == ExitCode.ERROR
    lines = done.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("problem  controller: "))
    assert lines[at + 1].startswith("         mend: start one")
    assert "ok       kinds: all kinds are there" in done.stdout


def test_findings_are_had_as_json(cluster: HttpCluster, run: Run) -> None:
    create(cluster, *build.shop()[:-1])
    found = json.loads(run("doctor", "web", "-o", "json").stdout)
    assert {"check": "access", "level": "ok", "mend": ""}.items() <= found[0].items()


def test_an_account_that_is_none_is_refused(run: Run) -> None:
    done = run("doctor", "--as-controller", "--controller-account", "somebody")
    assert done.returncode == ExitCode.USAGE
    assert "write NAMESPACE:NAME" in done.stderr.replace("\n", " ")


def rollout(practice: PracticeCluster, *words: str) -> subprocess.CompletedProcess[str]:
    return forked.run(words, {**os.environ, "KUBECONFIG": str(practice.kubeconfig)}, timeout=60)


def well(practice: PracticeCluster, sentence: str, seconds: float = 150) -> str:
    """What doctor prints once it finds nothing that is not well, and says a sentence."""
    deadline = time.monotonic() + seconds
    while True:
        done = rollout(practice, "doctor", "--pod-address-map", ADDRESSES)
        if not done.returncode and "warning" not in done.stdout and sentence in done.stdout:
            return done.stdout
        assert time.monotonic() < deadline, done.stdout + done.stderr
        ask(practice)


def ask(practice: PracticeCluster) -> None:
    """Send requests, so that there is something to count."""
    for _ in range(10):
        httpx.get(practice.edge.url, headers={"host": shop.HOST}, trust_env=False, timeout=5)
        time.sleep(0.1)


@pytest.mark.timeout(240)
def test_a_practice_cluster_with_a_service_and_a_controller_is_well() -> None:
    with PracticeCluster() as practice:
        practice.apply(shop.objects())
        practice.start_controller()
        said = well(practice, "web: metrics: stable: errors, latency are counted")
        assert "controller: " in said
        started = rollout(practice, "start", "v1.1.0")
        assert started.returncode == 0, started.stderr
        said = well(practice, "web: metrics: candidate: errors, latency are counted", 60)
        assert "web: metrics: stable: errors, latency are counted" in said
        assert "it steers now" in said
