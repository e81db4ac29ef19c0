"""The scripts of the example, run as a person or a pipeline runs them, on the practice cluster."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from rollout.resources.writes import Kind, Object
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
SOON_UNDECIDED = (r"^( +)minDuration: 1s", r"\1minDuration: 1s\n\1maxDuration: 2s")
FIRST, GOOD, BAD = "v1.3.0", "v1.3.1", "v1.3.1-errors20"
ODD = "V1_4-0123456789abcdef0123456789abcdef01234567"
"""A tag that is in no release's name as it is."""
STRAY: Final[Object] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "stray", "labels": {"app": "gemini-agent", "pod-template-hash": "stray"}},
    "spec": {"containers": [{"name": "agent", "image": "registry.example.com/gemini-agent:v9"}]},
}


@pytest.fixture
def person(tmp_path: Path, kubectl_program: Path) -> Person:
    person = Person.at(tmp_path / "desk", kubectl_program)
    shutil.copytree(MANIFESTS / "examples", person.folder / "examples")
    shutil.copytree(MANIFESTS / "kustomize", person.folder / "kustomize")
    for slow, quick in QUICKLY.items():
        edit(person, slow, quick)
    return person


def script(person: Person, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Have a script of the example run to its end."""
    scripts = person.folder / "examples" / "gemini-agent" / "scripts"
    return person.runs(str(scripts / name), *arguments)


def edit(person: Person, pattern: str, text: str) -> None:
    """Have a person write something else into the example; the pattern must be found."""
    example = person.folder / "examples" / "gemini-agent"
    changed = 0
    for file in [*example.glob("base/*.yaml"), *example.glob("overlays/development/*.yaml")]:
        written, count = re.subn(pattern, text, file.read_text(), flags=re.MULTILINE)
        file.write_text(written)
        changed += count
    assert changed, pattern


class Pipeline:
    """Runs the scripts for development, and says what they did where that is not what it should."""

    def __init__(self, person: Person) -> None:
        self._person = person

    def deploy(self, tag: str, *options: str, code: int = 0, said: str = "") -> None:
        """Ship a version; `said` is among what is printed."""
        self._run(code, said or f"{tag} serves in development", "deploy.sh", tag, *options)

    def roll_back(self, *arguments: str, said: str) -> None:
        """Take the service back."""
        self._run(0, said, "rollback.sh", *arguments)

    def _run(self, code: int, said: str, name: str, *arguments: str) -> None:
        done = script(self._person, name, "development", *arguments)
        printed = done.stdout + done.stderr
        assert (done.returncode, said in printed) == (code, True), printed
        assert code == 0 or "serves in" not in printed, printed


@pytest.fixture
def practice(
    person: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PracticeCluster]:
    """A practice cluster on a machine that has a Redis."""
    monkeypatch.setenv("PATH", str(REDIS.program("redis-server").parent), prepend=":")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(REDIS.libraries()), prepend=":")
    with PracticeCluster(tmp_path / "practice") as practice:
        practice.start_controller()
        person.environment["KUBECONFIG"] = str(practice.kubeconfig)
        yield practice


@pytest.mark.controlplane
@pytest.mark.system
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("trigger", "back"), [("Command", ()), ("Template", (FIRST,))])
def test_a_good_version_serves_a_bad_one_comes_back_and_a_person_goes_back(
    person: Person, practice: PracticeCluster, trigger: str, back: tuple[str, ...]
) -> None:
    edit(person, r"trigger: Command", f"trigger: {trigger}")
    pipeline = Pipeline(person)
    pipeline.deploy(FIRST, said='{"status":"alive"}')
    plan = Plan(practice.edge.url, host=DEVELOPMENT.host, rate=80, seconds=200)
    with Load(plan) as load:
        pipeline.deploy(GOOD, "--health-url", f"{practice.edge.url}/health")
        pipeline.deploy(BAD, code=3, said=f"{BAD} was taken back")
        pipeline.deploy(GOOD, said=f"{GOOD} serves already: nothing to release")
        pipeline.roll_back(*back, said=f"taken back in development: {FIRST} serves")
    requests = load.tally.snapshot()
    assert not requests.lost, requests.lost[:5]
    assert set(requests.by_version) == {FIRST, GOOD, BAD}
    practice.stop_controller()  # so that no release comes, and that of GOOD is an old one
    pipeline.deploy(GOOD, "--timeout", "3", code=5, said="error: 3 s are over")


@pytest.mark.controlplane
@pytest.mark.system
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("practice")
def test_a_release_that_a_person_started_is_followed_again_and_taken_back(person: Person) -> None:
    edit(person, *SOON_UNDECIDED)
    pipeline = Pipeline(person)
    pipeline.deploy(FIRST)
    pipeline.deploy(ODD, code=4, said=f"{ODD} waits on a person")  # nobody calls it
    pipeline.deploy(ODD, code=4, said=f"of {ODD} is under way: following it")
    pipeline.deploy(FIRST, code=1, said="is under way; nothing was changed")
    pipeline.roll_back(FIRST, said=f"taken back in development: {FIRST} serves")


@pytest.mark.controlplane
@pytest.mark.system
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("practice")
def test_a_release_of_a_template_is_followed_again_and_taken_back_for_good(person: Person) -> None:
    edit(person, "trigger: Command", "trigger: Template")
    edit(person, *SOON_UNDECIDED)
    pipeline = Pipeline(person)
    pipeline.deploy(FIRST)
    pipeline.deploy(ODD, code=4, said=f"{ODD} waits on a person")  # nobody calls it
    pipeline.deploy(ODD, code=4, said=f"{ODD} waits on a person")
    pipeline.roll_back(said=f"taken back in development: {FIRST} serves")
    pipeline.deploy(ODD, code=3, said="is not tried again by itself")


@pytest.mark.controlplane
@pytest.mark.system
@pytest.mark.timeout(300)
def test_what_a_person_cannot_release_is_refused_until_the_template_is_the_release(
    person: Person, practice: PracticeCluster
) -> None:
    edit(person, *SOON_UNDECIDED)
    edit(person, "port: 80$", "port: 80000")
    pipeline = Pipeline(person)
    pipeline.deploy(FIRST, code=1, said="nothing but the namespace was changed")
    edit(person, "port: 80000$", "port: 80")
    pipeline.deploy(FIRST)
    before = template(practice)
    edit(person, "failureThreshold: 30", "failureThreshold: 31")
    field = "spec.template.spec.containers[0].startupProbe.failureThreshold: 31"
    pipeline.deploy(GOOD, code=1, said=f"in the overlay: {field}")
    assert template(practice) == before
    edit(person, "trigger: Command", "trigger: Template")
    pipeline.deploy(FIRST, code=4, said=f"{FIRST} waits on a person")
    edit(person, "failureThreshold: 31", "failureThreshold: 30")
    pipeline.deploy(FIRST, said=f"{FIRST} serves already: nothing to release")
    practice.apply([STRAY], DEVELOPMENT.namespace)
    pipeline.deploy(FIRST, "--timeout", "5", code=5, said="pod stray has the image ")


def template(practice: PracticeCluster) -> object:
    """Give the Deployment's pod template as it is in the cluster."""
    found = practice.cluster.get(Kind.DEPLOYMENT, DEVELOPMENT.namespace, DEVELOPMENT.service)
    return found["spec"]["template"]


@pytest.mark.controlplane
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["deploy.sh"], 2, "deploy.sh ENVIRONMENT TAG"),
        (["deploy.sh", "--help"], 0, "Exits with 0 when the version serves"),
        (["rollback.sh", "--help"], 0, "Exits with 0 when users have it"),
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
    printed = done.stderr if code else done.stdout
    assert (done.returncode, said in printed) == (code, True), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("registry.example.com:5000/gemini-agent:v1.2", "v1.2"),
        ("gemini-agent:main-0123", "main-0123"),
        ("gemini-agent:v1.2@sha256:0123", "gemini-agent:v1.2@sha256:0123"),
        ("registry.example.com:5000/gemini-agent", "registry.example.com:5000/gemini-agent"),
    ],
)
def test_the_version_of_an_image_is_that_which_the_rollout_says(image: str, version: str) -> None:
    told = 'source common.sh && version_of "$1"'
    command = ["bash", "-euc", told, "bash", image]
    done = subprocess.run(
        command, cwd=SCRIPTS, capture_output=True, text=True, timeout=10, check=True
    )
    assert done.stdout == f"{version}\n"


@pytest.mark.system
def test_the_scripts_are_sound() -> None:
    """By Debian's shellcheck."""
    files = sorted(map(str, SCRIPTS.glob("*.sh")))
    command = [str(SHELLCHECK.program("shellcheck")), "--external-sources", *files]
    done = subprocess.run(
        command, cwd=SCRIPTS, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout
