"""`rollout convert`, as a process without any cluster."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
import yaml

from rollout.report.exit_codes import ExitCode
from tests import forked
from tests.convert import CASES

pytestmark = pytest.mark.system

FOLDER: Final = CASES[0].parent
PLAIN: Final = str(FOLDER / "argo-workload-ref.yaml")
PARTLY: Final = str(FOLDER / "flagger-nginx.yaml")


def convert(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "KUBECONFIG": "/nowhere", "HOME": "/nowhere"}
    return forked.run(arguments, environment, 30, text)


def test_objects_are_on_stdout_and_the_way_to_move_on_stderr() -> None:
    done = convert("convert", "-f", PLAIN)
    assert done.returncode == ExitCode.SUCCEEDED
    kinds = [body["kind"] for body in yaml.safe_load_all(done.stdout)]
    assert kinds == ["Deployment", "RolloutPolicy", "Rollout", "ScaledObject"]
    assert "no equal" not in done.stderr
    assert "  kubectl scale deployment catalog --replicas COUNT\n" in done.stderr


def test_what_has_no_equal_is_said_and_is_an_exit_code() -> None:
    done = convert("convert", "-f", PARTLY)
    assert done.returncode == ExitCode.PARTLY
    assert "no equal: Canary test/podinfo spec.analysis.alerts: rollout sends none" in done.stderr
    assert len(list(yaml.safe_load_all(done.stdout))) == 3


def test_a_folder_stdin_and_several_files_are_read(tmp_path: Path) -> None:
    wanted = ["Service", "Deployment", *("RolloutPolicy",) * 2, *("Rollout",) * 2, "ScaledObject"]
    both = convert("convert", "-f", PLAIN, "-f", "-", text=Path(PARTLY).read_text())
    assert [body["kind"] for body in yaml.safe_load_all(both.stdout)] == wanted
    (tmp_path / "below").mkdir()
    for file in (PLAIN, PARTLY):
        shutil.copy(file, tmp_path / "below")
    whole = convert("convert", "-f", str(tmp_path))
    assert [body["kind"] for body in yaml.safe_load_all(whole.stdout)] == wanted
    (tmp_path / "none").mkdir()
    empty = convert("convert", "-f", str(tmp_path / "none"))
    assert empty.returncode == ExitCode.ERROR
    assert "there is no .yaml file below it" in empty.stderr


def test_programs_get_every_finding_and_the_steps() -> None:
    done = convert("convert", "-f", PARTLY, "-o", "json")
    said = json.loads(done.stdout)
    assert set(said) == {"objects", "findings", "next"}
    assert {one["fate"] for one in said["findings"]} == {
        *("Converted", "Assumed", "NotNeeded", "NoEqual"),
    }
    assert said["next"][0]["steps"][0]["command"].startswith("kubectl get canaries.flagger.app")
    assert convert("-o", "json", "convert", "-f", PARTLY).stdout == done.stdout


def test_the_table_has_a_row_for_every_field() -> None:
    done = convert("convert", "-f", PARTLY, "-o", "table")
    assert done.stdout.startswith("OBJECT")
    assert "spec.analysis.webhooks[3]" in done.stdout
    assert done.returncode == ExitCode.PARTLY


def test_one_kind_alone_can_be_printed() -> None:
    done = convert("convert", "-f", PARTLY, "--only", "Service")
    (service,) = yaml.safe_load_all(done.stdout)
    assert service["kind"] == "Service"
    assert (done.returncode, done.stderr) == (ExitCode.SUCCEEDED, "")  # a pipe goes on


def test_some_objects_can_be_printed_by_their_names() -> None:
    whole = convert("convert", "-f", PARTLY).stdout
    there = {one["kind"]: one["metadata"]["name"] for one in yaml.safe_load_all(whole)}
    only = [f"Rollout/{there['Rollout']}", f"RolloutPolicy/{there['RolloutPolicy']}"]
    done = convert("convert", "-f", PARTLY, "--only", only[0], "--only", only[1])
    assert [one["kind"] for one in yaml.safe_load_all(done.stdout)] == ["RolloutPolicy", "Rollout"]


@pytest.mark.parametrize("only", ["Pod", "Service/nope"])
def test_what_is_not_there_cannot_be_printed(only: str) -> None:
    wrong = convert("convert", "-f", PARTLY, "--only", "Service", "--only", only)
    assert wrong.returncode == ExitCode.USAGE
    said = " ".join(wrong.stderr.split())
    assert f"--only {only}: there is no such object (there are: Service/" in said


def test_the_commands_name_all_of_the_input() -> None:
    done = convert("convert", "-f", PARTLY, "-f", PLAIN)
    assert f"rollout convert -f {PARTLY} -f {PLAIN} --only Service/" in done.stderr
    piped = convert("convert", "-f", "-", text=Path(PARTLY).read_text())
    assert "rollout convert -f FILE --only Service/" in piped.stderr


HEAD: Final = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: web}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "-, line 1: no YAML"),
        ("a: {{ .Values.a }}", "render it first (`helm template`)"),
        ("- 1\n", "-, document 1: list is no object"),
        ("kind: Rollout\n", "-, document 1: apiVersion is missing"),
        ("apiVersion: v1\nkind: Pod\n", "-, document 1: Pod: metadata.name is missing"),
        ("a: 1\n", "leave the file out"),
        (HEAD.replace("v1alpha1", "v2"), "apiVersion argoproj.io/v2 is unknown"),
        (
            HEAD.replace("kind: Rollout", "kind: Rollouts"),
            "kind Rollouts of argoproj.io is unknown",
        ),
        (
            "---\n" + HEAD + "spec: {strategy: {canary: {steps: [{setWeight: many}]}}}",
            "Rollout web: spec.strategy.canary.steps[0].setWeight is 'many', not a whole number",
        ),
        (
            HEAD + "spec: {strategy: {canary: {steps: [{setWeight: 5}, {pause: {duration: 1d}}]}}}",
            "steps[1].pause.duration is '1d', not a duration of at most a year, such as 30s",
        ),
        (HEAD + "spec: {strategy: {canary: {steps: 5}}}", "steps is 5, not a list of mappings"),
        (HEAD + "spec: []", "spec is [], not a mapping of fields"),
        (
            HEAD + "spec: {strategy: {blueGreen: {previewService: No Name}}}",
            "its Rollout would not be valid: spec.strategy.blueGreen.previewService: 'No Name'",
        ),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n", "there is neither a Rollout"),
    ],
)
def test_what_cannot_be_read_names_file_document_and_field(text: str, said: str) -> None:
    done = convert("convert", "-f", "-", text=text)
    assert done.returncode == ExitCode.ERROR
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_file_it_is_wrong_usage() -> None:
    assert convert("convert").returncode == ExitCode.USAGE
    missing = convert("convert", "-f", "nowhere.yaml")
    assert missing.returncode == ExitCode.ERROR
    assert "nowhere.yaml: No such file or directory: name a file, a folder" in missing.stderr
