"""What the README shows is run: the demo from a fresh environment, as a reader would."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


def test_the_first_command_of_the_readme_shows_the_demo(tmp_path: Path) -> None:
    command = next(
        line for line in (ROOT / "README.md").read_text().splitlines() if "rollout demo" in line
    )
    assert command.startswith("python3 -m venv .venv && ")
    here = command.replace(".venv", str(tmp_path / "venv")).replace("python3", sys.executable)
    install, _, demo = here.rpartition(" && ")
    subprocess.run(install, shell=True, cwd=ROOT, check=True, timeout=200)  # noqa: S602
    began = time.monotonic()
    done = subprocess.run(  # noqa: S602
        demo, shell=True, cwd=tmp_path, check=False, timeout=130, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.monotonic() - began < 120
    assert re.search(r"\d+ requests were sent, 0 were lost", done.stdout)
    assert "RolledBack" in done.stdout
