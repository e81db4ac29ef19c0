"""The tutorial is walked from end to end, each command as it stands there."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.person import blocks, command
from tests.sandbox.practice import until

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
UP = command("docs/reference/cli.md", "rollout sandbox up")
SET_UP, *BLOCKS = blocks(PAGE)
SAID = (
    ("gemini-agent", "v1.0.0"),
    ("Baking", "Succeeded"),
    ("Started", "my first release", "Committed"),
    ("RollingBack", "exit code 3"),
    ("v1.2.0-errors8", "RolledBack", "on stable"),
    (
        *("exit code 5", "pause asked for", "Paused", "let me look", "exit code 4"),
        *("looks good", "Succeeded"),
    ),
    ("is brought back", "Succeeded"),
    ("resume asked for", "exit code 3"),
    ("v1.1.0", "stable"),
)
"""What each block shows, among other things."""
WALKS = {"docs/tutorial.md": (SET_UP, *SAID)}

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Somebody's home, in which `rollout sandbox up` runs in the first terminal."""
    programs = Path(sys.executable).parent
    path = f"{programs}:{os.environ['PATH']}"
    environment = {**os.environ, "HOME": str(tmp_path), "PATH": path, "NO_COLOR": "1"}
    with (tmp_path / "first-terminal").open("wb") as log:
        first = subprocess.Popen(
            ["bash", "-c", f"exec {UP}"], env=environment, stdout=log, stderr=log
        )
    said = tmp_path / "first-terminal"
    until(lambda: "The practice cluster is up" in said.read_text(), "the cluster is up", 60)
    yield environment
    first.send_signal(signal.SIGINT)
    assert first.wait(20) == 0


def test_the_first_terminal_installs_and_starts_what_the_readme_does() -> None:
    readme = (PAGE.parents[1] / "README.md").read_text()
    install, start = SET_UP.splitlines()
    assert install in readme
    assert start == f".venv/bin/{UP}"


def test_every_command_does_what_the_page_says(environment: dict[str, str]) -> None:
    assert len(BLOCKS) == len(SAID)
    location, *_ = BLOCKS
    (where, _) = location.splitlines()
    environment["KUBECONFIG"] = f"{environment['HOME']}/.cache/rollout/sandbox/kubeconfig"
    assert where.endswith("KUBECONFIG=~/.cache/rollout/sandbox/kubeconfig")
    for block, said in zip(BLOCKS, SAID, strict=True):
        script = block.replace("$PWD/.venv/bin:", "")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        shown = done.stdout + done.stderr
        assert done.returncode == 0, f"{block}{shown}"
        missing = [words for words in said if words not in shown]
        assert not missing, f"{block}{shown}"
