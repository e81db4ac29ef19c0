"""What both images say of themselves, and what they are made from."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

import rollout
from tests.install.dockerfile import Stage, stages
from tests.install.image import SAMPLE
from tests.install.installed import ROOT

OCI: Final = "org.opencontainers.image."
FIRST, LAST = stages(ROOT / "Dockerfile")
SAMPLES: Final = stages(SAMPLE / "Dockerfile")
BOTH: Final = {"rollout": (FIRST, LAST), "gemini-agent": tuple(SAMPLES)}


@pytest.fixture(params=BOTH)
def title(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def last(title: str) -> Stage:
    return BOTH[title][-1]


def test_every_stage_is_made_from_one_base_that_cannot_change() -> None:
    (base,) = {stage.base for both in BOTH.values() for stage in both}
    assert re.fullmatch(r"python:3\.11-slim-bookworm@sha256:[0-9a-f]{64}", base)


def test_the_labels_say_what_it_is(title: str, last: Stage) -> None:
    said = {name.removeprefix(OCI): text for name, text in last.labels.items()}
    assert said["title"] == title
    assert said["licenses"] == "Apache-2.0"
    assert said["description"]
    assert {"source", "revision"} <= said.keys(), "who builds it says them"
    assert {"VERSION", "REVISION", "SOURCE"} == last.arguments.keys()
    assert said["version"] == last.arguments["VERSION"]


def test_the_versions_are_those_of_the_programs() -> None:
    sample = tomllib.loads((SAMPLE / "pyproject.toml").read_text())["project"]["version"]
    assert LAST.arguments["VERSION"] == rollout.__version__
    assert SAMPLES[-1].arguments["VERSION"] == f"v{sample}"


@pytest.mark.system
def test_what_the_base_has_to_install_with_is_taken_out(tmp_path: Path, last: Stage) -> None:
    """The base's Python is played by an environment with the same tools."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path], check=True, timeout=60)
    python = tmp_path / "bin" / "python"
    assert imports(python, "pip")
    (command,) = [rest for kind, rest in last.steps if kind == "RUN"]
    environment = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}
    subprocess.run(
        ["sh", "-c", command], check=True, capture_output=True, timeout=60, env=environment
    )
    assert not [tool for tool in ("pip", "setuptools", "wheel") if imports(python, tool)]
    assert not list((tmp_path / "bin").glob("pip*"))


def imports(python: Path, module: str) -> bool:
    command: list[str | Path] = [python, "-c", f"import {module}"]
    return subprocess.run(command, check=False, capture_output=True, timeout=20).returncode == 0


def test_no_stage_brings_a_compiler_or_packages_of_the_system() -> None:
    every = [stage for both in BOTH.values() for stage in both]
    commands = " ".join(rest for stage in every for _, rest in stage.steps)
    assert not re.search(r"\b(apt|apt-get|dpkg|gcc|make|curl)\b", commands)
