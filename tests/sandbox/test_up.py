"""`rollout sandbox up` as people use it: it stays, serves kubectl, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.practice import until

pytestmark = [pytest.mark.system, pytest.mark.controlplane, pytest.mark.timeout(150)]


def children(parent: int) -> Iterator[int]:
    """Give the processes below one, at any depth."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
        except OSError:
            continue  # it ended meanwhile
        if int(stat.rpartition(")")[2].split()[1]) == parent:
            yield int(folder.name)
            yield from children(int(folder.name))


def lives(process: int) -> bool:
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_it_stays_up_for_kubectl_and_leaves_no_process_behind(
    tmp_path: Path, kubectl_program: Path
) -> None:
    said = tmp_path / "said"
    environment = {**os.environ, "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "rollout", "sandbox", "up"]
    with (
        said.open("w") as output,
        subprocess.Popen(command, stdout=output, stderr=output, env=environment) as sandbox,
    ):
        try:
            until(lambda: "Ctrl-C stops everything" in said.read_text(), "it is up", 60)
            kubeconfig = tmp_path / ".cache" / "rollout" / "sandbox" / "kubeconfig"
            assert f"KUBECONFIG={kubeconfig}" in said.read_text()
            shown = kubectl(kubectl_program, kubeconfig, "get", "rollouts,deployments")
            assert "rollout.rollout.dev/gemini-agent" in shown
            kubectl(kubectl_program, kubeconfig, "rollout", "status", "deployment/gemini-agent")
            second = subprocess.run(
                command, capture_output=True, text=True, timeout=30, check=False, env=environment
            )
            assert second.returncode == 1
            assert f"a practice cluster runs already ({kubeconfig})" in second.stderr
            started = set(children(sandbox.pid))
            assert len(started) >= 6, "4 pods, an edge and a controller"
            sandbox.send_signal(signal.SIGTERM)
            assert sandbox.wait(30) == 0, said.read_text()
            assert not kubeconfig.exists(), "it would lead nowhere"
        finally:
            sandbox.kill()
    until(lambda: not any(map(lives, started)), "every process has ended", 5)


def kubectl(program: Path, kubeconfig: Path, *arguments: str) -> str:
    done = subprocess.run(
        [program, "kubectl", "--kubeconfig", str(kubeconfig), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"HOME": str(kubeconfig.parent)},
    )
    return done.stdout
