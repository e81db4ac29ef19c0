"""The guides show the commands that `rollout convert` prints, and each can be typed."""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Final

import pytest

from rollout.convert.conversion import convert
from rollout.convert.documents import documents
from tests.convert import CASES
from tests.docs.test_commands import complaint
from tests.person import Person, blocks

FOLDER: Final = CASES[0].parent
DOCS: Final = Path(__file__).parents[2] / "docs"
PAGES: Final = {
    "moving-from-argo-rollouts.md": "argo-nginx-canary.yaml",
    "moving-from-flagger.md": "flagger-nginx.yaml",
}
VERBS: Final = {
    "get": {"-o", "-l", "-n"},
    "delete": {"--cascade", "-l", "-n"},
    "apply": {"-f", "-n", "--server-side", "--force-conflicts"},
    "patch": {"--type", "-p", "-n"},
    "scale": {"--replicas", "-n"},
    "rollout status": {"-n"},
    "annotate": {"-n"},
    "edit": {"-n"},
    "kustomize": set(),
}


def shown(page: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def printed(case: str) -> list[str]:
    (file,) = [one for one in CASES if one.name == case]
    found = convert(documents(file.read_text(), file.name))
    return [move.command for _, steps in found.steps for move in steps]


def check(line: str) -> None:
    for part in line.split(" | "):
        words = shlex.split(part.split(" > ")[0])
        match words:
            case ["rollout", *_]:
                assert complaint(part.split(" > ")[0]) == ""
            case ["kubectl", *rest]:
                verb = "rollout status" if rest[:2] == ["rollout", "status"] else rest[0]
                options = {one.split("=")[0] for one in rest if one.startswith("-") and one != "-"}
                assert options <= VERBS[verb], line
                if "-p" in rest:
                    json.loads(rest[rest.index("-p") + 1])
            case _:
                raise AssertionError(line)


@pytest.mark.parametrize("page", PAGES)
def test_the_page_shows_what_is_printed(page: str) -> None:
    file = PAGES[page]
    name = "checkout.yaml" if "argo" in page else "podinfo.yaml"
    commands = [one.replace(file, name) for one in printed(file)]
    lines = shown(page)
    begin = lines.index(commands[0])
    assert lines[begin : begin + len(commands)] == commands


@pytest.mark.controlplane
def test_what_the_pages_show_before_the_move_is_typed(
    tmp_path: Path, kubectl_program: Path
) -> None:
    """Manifests in a folder, and an overlay that is rendered first; what follows is the move."""
    person = Person.at(tmp_path, kubectl_program)
    for folder in ("manifests", "overlays/production"):
        (tmp_path / folder).mkdir(parents=True)
        for case in PAGES.values():
            shutil.copy(FOLDER / case, tmp_path / folder)
    kustomization = {"resources": list(PAGES.values())}
    (tmp_path / "overlays/production/kustomization.yaml").write_text(json.dumps(kustomization))
    for page in PAGES:
        *early, _ = blocks(DOCS / page)
        assert early
        for block in early:
            assert person.types(block.replace(".yaml\n", ".yaml || test $? = 7\n")).returncode == 0
            kinds = (tmp_path / "converted.yaml").read_text()
            assert kinds.count("kind: Rollout\n") == len(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_is_shown_can_be_typed(page: str) -> None:
    for line in shown(page):
        check(line)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_every_command_that_is_printed_can_be_typed(case: Path) -> None:
    for line in printed(case.name):
        check(line)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_replica_sets_of_others_are_never_removed(case: Path) -> None:
    for line in printed(case.name):
        if line.startswith("kubectl delete replicasets"):
            assert re.search(r"-l [\w./-]+=|-HASH", line), line
