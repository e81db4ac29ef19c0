"""The scripts of the example, run as a person or a pipeline runs them, on the practice cluster."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout.sandbox.load import Load, Plan
from rollout.sandbox.practice import PracticeCluster
from tests.debian import REDIS, SHELLCHECK
from tests.examples.trees import EXAMPLE, KNOWN, MANIFESTS
from tests.person import Person

SCRIPTS = EXAMPLE / "scripts"
DEVELOPMENT = KNOWN["development"]
QUICKLY = {
    r"initialDelaySeconds: 10": "initialDelaySeconds: 0",
    r" seconds: 5$": " seconds: 1",
    r"minDuration: 10s": "minDuration: 1s",
    r"bake: 30s": "bake: 2s\n      drain: 1s",
    r"preset: http": "preset: http\n  interval: 1s\n  minimumRequests: 30",
}
"""Minutes that become seconds for the tests."""


@pytest.fixture
def person(tmp_path: Path, kubectl_program: Path) -> Person:
    person = Person.at(tmp_path / "desk", kubectl_program)
    shutil.copytree(MANIFESTS / "examples", person.folder / "examples")
    shutil.copytree(MANIFESTS / "kustomize", person.folder / "kustomize")
    hasten(person.folder / "examples" / "gemini-agent")
    return person


def script(person: Person, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Have a script of the example run to its end."""
    scripts = person.folder / "examples" / "gemini-agent" / "scripts"
    return person.runs(str(scripts / name), *arguments)


def hasten(example: Path) -> None:
    """Put seconds where the example has minutes; each must be found."""
    files = [*example.glob("base/*.yaml"), *example.glob("overlays/development/*.yaml")]
    for slow, quick in QUICKLY.items():
        changed = 0
        for file in files:
            text, count = re.subn(slow, quick, file.read_text(), flags=re.MULTILINE)
            file.write_text(text)
            changed += count
        assert changed, slow


@pytest.fixture
def practice(
    person: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PracticeCluster]:
    """A practice cluster with callers, on a machine that has a Redis."""
    monkeypatch.setenv("PATH", str(REDIS.program("redis-server").parent), prepend=":")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(REDIS.libraries()), prepend=":")
    with PracticeCluster(tmp_path / "practice") as practice:
        practice.start_controller()
        person.environment["KUBECONFIG"] = str(practice.kubeconfig)
        yield practice


@pytest.mark.controlplane
@pytest.mark.system
@pytest.mark.timeout(300)
def test_a_good_version_is_deployed_a_bad_one_comes_back_and_a_person_goes_back(
    person: Person, practice: PracticeCluster
) -> None:
    health = ("--health-url", f"{practice.edge.url}/health")
    first = script(person, "deploy.sh", "development", "v1.3.0", *health)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "v1.3.0 serves in development" in first.stdout
    assert '{"status":"alive"}' in first.stdout
    plan = Plan(practice.edge.url, host=DEVELOPMENT.host, rate=80, seconds=200)
    with Load(plan) as load:
        good = script(person, "deploy.sh", "development", "v1.3.1", *health)
        assert good.returncode == 0, good.stdout + good.stderr
        assert "v1.3.1 serves in development" in good.stdout
        bad = script(person, "deploy.sh", "development", "v1.3.2-errors20", *health)
        assert bad.returncode == 3, bad.stdout + bad.stderr
        assert "serves in" not in bad.stdout
        back = script(person, "rollback.sh", "development")
        assert back.returncode == 0, back.stdout + back.stderr
        assert "v1.3.0 is brought back" in back.stdout
    requests = load.tally.snapshot()
    assert not requests.lost, requests.lost[:5]
    assert set(requests.by_version) == {"v1.3.0", "v1.3.1", "v1.3.2-errors20"}


@pytest.mark.controlplane
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["deploy.sh"], 2, "deploy.sh ENVIRONMENT TAG"),
        (["deploy.sh", "qa", "v1"], 1, "no environment 'qa': there are development production"),
        (["deploy.sh", "staging", "latest"], 1, "'latest' is no tag of a version"),
        (["deploy.sh", "staging", "v1", "--timeout", "15m"], 1, "--timeout '15m' is no number"),
        (["deploy.sh", "staging", "v1", "--force"], 2, "deploy.sh ENVIRONMENT TAG"),
        (["rollback.sh"], 2, "rollback.sh ENVIRONMENT [VERSION]"),
        (["rollback.sh", "qa"], 1, "no environment 'qa'"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_done(
    person: Person, arguments: list[str], code: int, said: str
) -> None:
    done = script(person, *arguments)
    assert (done.returncode, said in done.stderr) == (code, True), done.stdout + done.stderr


@pytest.mark.system
def test_the_scripts_are_sound() -> None:
    """By Debian's shellcheck."""
    files = sorted(map(str, SCRIPTS.glob("*.sh")))
    command = [str(SHELLCHECK.program("shellcheck")), "--external-sources", *files]
    done = subprocess.run(
        command, cwd=SCRIPTS, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout
