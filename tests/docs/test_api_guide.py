"""Every command of the API guide is run against a real controller process."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout.kube.client import HttpCluster
from rollout.resources.crd import definitions
from rollout.resources.writes import Create, Kind
from rollout.sandbox import example
from rollout.sandbox.apiserver import ApiServer
from rollout.sandbox.practice import STARTED
from rollout.sandbox.processes import end, start_bound
from rollout.server.problems import TITLES
from tests.person import blocks
from tests.sandbox.practice import until

PAGE = Path(__file__).parent.parent.parent / "docs" / "api.md"
SAID = (
    '"items":[{"apiVersion":"rollout.dev/v1alpha1","kind":"Rollout"',
    '"message":"release gemini-agent-v1.1.0-',
    '"phase":"Pending"',
    "event: synced",
    '"message":"gemini-agent-v1.1.0-',
)
"""What each block prints, among other things."""
WALKS = {"docs/api.md": SAID}


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    with ApiServer() as server, HttpCluster.for_server(server.url, server.token) as cluster:
        kinds = {kind.value.kind: kind for kind in Kind}
        for body in (*definitions(), *example.objects()):
            cluster.apply(Create(kinds[body["kind"]], "default", body))
        kubeconfig = server.write_kubeconfig(tmp_path / "kubeconfig")
        command = [sys.executable, "-m", "rollout", "--kubeconfig", str(kubeconfig)]
        log = tmp_path / "log"
        options = ["controller", "--api-port", "0", "--log-format", "json"]
        controller = start_bound([*command, *options], log)
        found = until(lambda: STARTED.search(log.read_text()), "the API is up", 30)
        yield {**os.environ, "SERVER": found[1], "TOKEN": server.token}
        end(controller)


@pytest.mark.system
@pytest.mark.timeout(120)
def test_the_commands_of_the_guide_do_what_it_says(environment: dict[str, str]) -> None:
    for block, said in zip(blocks(PAGE), SAID, strict=True):
        script = f"set -eu -o pipefail\n{block}"
        done = subprocess.run(
            ["bash", "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, f"{block}{done.stdout}{done.stderr}"
        assert said in done.stdout, block


def test_every_kind_of_problem_has_a_row() -> None:
    rows = set(re.findall(r"^\| `([a-z-]+)` \| [0-9]", PAGE.read_text(), flags=re.MULTILINE))
    assert rows == set(TITLES) - {"bug"}
