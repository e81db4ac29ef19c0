"""What the README shows is run: the demo from a fresh environment, as a reader would."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.person import command
from tests.system.summary import check, read
from tests.terminal import on_terminal

ROOT = Path(__file__).parent.parent.parent
pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


def test_the_first_command_of_the_readme_shows_the_demo(tmp_path: Path) -> None:
    here = (
        command("README.md", "python3 -m venv")
        .replace(".venv", str(tmp_path / "venv"))
        .replace("python3", sys.executable)
    )
    install, _, demo = here.rpartition(" && ")
    assert demo.endswith(f"/bin/{command('docs/reference/cli.md', 'rollout demo')}")
    subprocess.run(install, shell=True, cwd=ROOT, check=True, timeout=200)  # noqa: S602
    began = time.monotonic()
    shown = on_terminal(["sh", "-c", demo], cwd=tmp_path, seconds=130)
    assert shown.code == 0, shown.text
    assert time.monotonic() - began < 120
    check(read(shown.text))
    check_live(shown.frames)
    check_installed(tmp_path)


def check_installed(folder: Path) -> None:
    """What the page on installing shows does the same, in the environment that is there now."""
    lines = [
        command("docs/install.md", "python3 -m venv"),
        command("docs/install.md", "mkdir"),
        command("docs/install.md", "rollout completion"),
    ]
    script = "\n".join(lines).replace(".venv", str(folder / "venv"))
    subprocess.run(
        ["bash", "-euc", script.replace("python3", sys.executable)],
        cwd=ROOT,
        env={**os.environ, "HOME": str(folder)},
        check=True,
        timeout=200,
    )
    written = folder / ".local" / "share" / "bash-completion" / "completions" / "rollout"
    assert "complete " in written.read_text()


def check_live(frames: list[str]) -> None:
    """Both releases are shown while they run, drawn over the same place again and again."""
    good = [frame for frame in frames if "gemini-agent-v1.1.0" in frame]
    bad = [frame for frame in frames if "gemini-agent-v1.2.0" in frame]
    assert min(len(good), len(bad)) > 10
    for share in (20, 50, 100):
        assert any(re.search(rf"candidate +\S+ +{share} %", frame) for frame in good)
    assert any("Baking" in frame for frame in good)
    assert any("RollingBack" in frame for frame in bad)
    watched = [counts(frame) for frame in good if "REQUESTS" in frame]
    assert watched == sorted(watched)
    assert watched[0] < watched[-1]


def counts(frame: str) -> int:
    """Sum the requests of all versions that a frame shows."""
    rows = re.findall(r"^v\S+ +(\d+)", frame, re.MULTILINE)
    return sum(map(int, rows))
