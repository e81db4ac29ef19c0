"""Shell completion: a real bash, with the script as people source it."""

import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from rollout.kube.client import HttpCluster
from rollout.sandbox.apiserver import ApiServer
from tests import build
from tests.cli.test_cli import cluster, create, server
from tests.server.rig import Rig

__all__ = ["cluster", "server"]
pytestmark = pytest.mark.system

PROGRAM = Path(sys.executable).parent / "rollout"
COMPLETE = """
source <(rollout completion bash)
COMP_WORDS=({words})
COMP_CWORD={current}
_rollout_completion rollout
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completed(
    *words: str, kubeconfig: Path | None = None, given: Mapping[str, str] | None = None
) -> list[str]:
    """Press Tab after words, of which the last is incomplete."""
    quoted = " ".join(f"'{word}'" for word in ("rollout", *words))
    script = COMPLETE.format(words=quoted, current=len(words))
    environment = {
        "PATH": f"{PROGRAM.parent}:/usr/bin:/bin",
        "KUBECONFIG": str(kubeconfig or "/nowhere"),
        "HOME": "/nowhere",
        **(given or {}),
    }
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.fixture
def kubeconfig(server: ApiServer, cluster: HttpCluster, tmp_path: Path) -> Path:
    create(cluster, *build.shop())
    return server.write_kubeconfig(tmp_path / "kubeconfig")


def test_bash_completes_commands() -> None:
    assert completed("sta") == ["start", "status"]
    assert completed("policy", "") == ["lint", "show"]


def test_bash_completes_options() -> None:
    assert "--to" in completed("undo", "--t")


def test_bash_completes_names_from_the_cluster(kubeconfig: Path) -> None:
    assert completed("rollback", "", kubeconfig=kubeconfig) == ["web-v2", "web"]
    assert completed("rollback", "web-", kubeconfig=kubeconfig) == ["web-v2"]
    assert completed("undo", "w", kubeconfig=kubeconfig) == ["web"]
    assert completed("start", "v3", "--deployment", "", kubeconfig=kubeconfig) == ["web"]


def test_the_namespace_on_the_line_counts(kubeconfig: Path) -> None:
    assert completed("-n", "elsewhere", "undo", "", kubeconfig=kubeconfig) == []
    assert completed("undo", "-n", "elsewhere", "", kubeconfig=kubeconfig) == []


def test_without_a_cluster_there_are_no_names_and_no_words() -> None:
    assert completed("undo", "") == []


def test_a_cluster_that_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"http://127.0.0.1:{silent.getsockname()[1]}"
        file.write_text(
            "current-context: x\n"
            "contexts: [{name: x, context: {cluster: x, user: x}}]\n"
            f"clusters: [{{name: x, cluster: {{server: '{server}'}}}}]\n"
            "users: [{name: x, user: {}}]\n"
        )
        began = time.monotonic()
        assert completed("undo", "", kubeconfig=file) == []
    assert time.monotonic() - began < 8, "1.5 s of patience, and a slow machine"


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Rig]:
    """A rollout server of another cluster than the kubeconfig's."""
    with Rig() as alone, alone.place(*build.shop()[:-1], build.release("web-v7", "v7")) as rig:
        rig.say("web-v7")
        yield rig


def test_with_a_server_the_names_are_asked_of_it(elsewhere: Rig, kubeconfig: Path) -> None:
    given = {"ROLLOUT_SERVER": elsewhere.api.url, "ROLLOUT_TOKEN": "bob"}
    here = ("-n", elsewhere.space)
    assert completed(*here, "rollback", "", kubeconfig=kubeconfig, given=given) == ["web-v7", "web"]
    assert completed(*here, "rollback", "web-", given=given) == ["web-v7"]
    assert completed(*here, "start", "v9", "--rollout", "", given=given) == ["web"]


def test_a_server_on_the_line_counts(elsewhere: Rig, kubeconfig: Path) -> None:
    given = ("-n", elsewhere.space, "--server", elsewhere.api.url, "--token", "bob")
    assert completed(*given, "pause", "", kubeconfig=kubeconfig) == ["web-v7", "web"]
    assert completed("pause", *given, "", kubeconfig=kubeconfig) == ["web-v7", "web"]


def test_what_a_server_does_not_tell_is_not_taken_from_a_cluster(
    elsewhere: Rig, kubeconfig: Path
) -> None:
    given = {"ROLLOUT_SERVER": elsewhere.api.url, "ROLLOUT_TOKEN": "bob"}
    assert completed("start", "v9", "--deployment", "", kubeconfig=kubeconfig, given=given) == []
    given["ROLLOUT_TOKEN"] = "nobody"
    assert completed("rollback", "", kubeconfig=kubeconfig, given=given) == []
    given["ROLLOUT_SERVER"] = "http://rollout.example.com"
    assert completed("rollback", "", kubeconfig=kubeconfig, given=given) == []


def test_a_server_that_is_no_url_has_no_names(kubeconfig: Path) -> None:
    given = {"ROLLOUT_SERVER": "http://127.0.0.1:api", "ROLLOUT_TOKEN": "bob"}
    assert completed("rollback", "", kubeconfig=kubeconfig, given=given) == []


def test_a_server_that_does_not_answer_is_not_waited_for(kubeconfig: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"http://127.0.0.1:{silent.getsockname()[1]}"
        given = {"ROLLOUT_SERVER": server, "ROLLOUT_TOKEN": "bob"}
        began = time.monotonic()
        assert completed("undo", "", kubeconfig=kubeconfig, given=given) == []
    assert time.monotonic() - began < 8, "1.5 s of patience, and a slow machine"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script_that_asks_us(shell: str) -> None:
    done = subprocess.run(
        [str(PROGRAM), "completion", shell], capture_output=True, text=True, timeout=30, check=True
    )
    assert f"_ROLLOUT_COMPLETE=complete_{shell}" in done.stdout
    found = shutil.which(shell)
    if found is not None:
        subprocess.run([found, "-n"], input=done.stdout, text=True, timeout=30, check=True)


def asked(shell: str, **environment: str) -> str:
    done = subprocess.run(
        [str(PROGRAM)],
        env={"PATH": "/usr/bin:/bin", "_ROLLOUT_COMPLETE": f"complete_{shell}", **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout


def test_zsh_and_fish_are_answered_with_descriptions() -> None:
    line = {"_TYPER_COMPLETE_ARGS": "rollout sta"}
    assert '"status":"Show where a release is' in asked("zsh", **line)
    fish = asked("fish", _TYPER_COMPLETE_FISH_ACTION="get-args", **line)
    assert "status\tShow where a release is" in fish


def test_another_shell_is_refused_with_those_there_are() -> None:
    done = subprocess.run(
        [str(PROGRAM), "completion", "tcsh"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "fish" in done.stderr


def test_help_imports_nothing_heavy_and_is_instant() -> None:
    heavy = "{'kubernetes', 'pydantic', 'rich', 'yaml', 'httpx', 'fastapi'}"
    program = (
        "import sys; sys.argv = ['rollout', '--help']\n"
        "from rollout.cli.app import run\n"
        "try: run()\n"
        f"except SystemExit: print({heavy} & set(sys.modules))"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stdout.splitlines()[-1] == "set()"
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent < 0.3, "processor time; by the clock it is the same on an idle machine"
