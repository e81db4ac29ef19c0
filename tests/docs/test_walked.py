"""Every command that a page shows is typed by a test, which is named in `walked.py`."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.docs.walked import BY_BLOCK, BY_COMMAND, ELSEWHERE, IS_THE_RUN
from tests.person import ROOT, blocks, command, commands

FILES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/**/*.md"),
    *ROOT.glob("manifests/**/*.md"),
    *ROOT.glob("policies/**/*.md"),
]
PAGES = sorted(str(file.relative_to(ROOT)) for file in FILES if blocks(file))
PROGRAMS = {"curl", "docker", "git", "helm", "kubectl", "pip", "pipx", "python", "python3"} | {
    "./scripts/deploy.sh",
    "rollout",
}


def source(module: str) -> ast.Module:
    return ast.parse(ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text())


def calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == name:
            yield node


def said(argument: ast.expr, module: str) -> str:
    """What is given to a call: a text, or the name that the module has for one."""
    if isinstance(argument, ast.Name):
        return str(getattr(import_module(module), argument.id))
    return str(ast.literal_eval(argument))


def taken(module: str, page: str) -> Iterator[str]:
    """The beginnings of the commands that a module takes from a page."""
    for call in calls(source(module), "command"):
        where, beginning = (said(argument, module) for argument in call.args)
        if where == page:
            yield beginning


def unclaimed(page: str) -> list[str]:
    """The commands of a page that no module takes."""
    begun = [word for module in BY_COMMAND.get(page, ()) for word in taken(module, page)]
    claimed = {command(page, beginning) for beginning in begun}
    return [one for one in commands(page) if one not in {*claimed, *IS_THE_RUN}]


def test_every_page_with_commands_is_claimed_once() -> None:
    claims = [*BY_BLOCK, *BY_COMMAND, *ELSEWHERE]
    whole = {page for page in PAGES if set(commands(page)) <= set(IS_THE_RUN)}
    assert sorted([*claims, *whole]) == PAGES
    assert whole == {"CONTRIBUTING.md"}


@pytest.mark.parametrize("page", BY_BLOCK)
def test_a_module_types_every_block_of_its_page(page: str) -> None:
    module = BY_BLOCK[page]
    assert len(import_module(module).WALKS[page]) == len(blocks(ROOT / page))
    tree = source(module)
    pairs = list(calls(tree, "zip"))
    assert list(calls(tree, "blocks"))
    assert any(given.arg == "strict" for pair in pairs for given in pair.keywords)


@pytest.mark.parametrize("page", BY_COMMAND)
def test_modules_take_every_command_of_a_page(page: str) -> None:
    assert unclaimed(page) == []
    assert [one for one in BY_COMMAND[page] if not list(taken(one, page))] == []


@pytest.mark.parametrize("page", ELSEWHERE)
def test_a_module_that_looks_in_another_way_is_there_and_says_why(page: str) -> None:
    module, reason = ELSEWHERE[page]
    assert [name for name in dir(import_module(module)) if name.startswith("test_")]
    assert len(reason) > 20


def test_the_run_of_all_checks_is_what_ci_starts() -> None:
    started = (ROOT / ".ci" / "run").read_text()
    assert IS_THE_RUN[0] in started


@pytest.mark.parametrize("page", FILES, ids=str)
def test_no_block_hides_its_commands_behind_another_language(page: Path) -> None:
    found = []
    fence: str | None = None
    for line in page.read_text().splitlines():
        if line.startswith("```"):
            fence = line[3:] if fence is None else None
        elif fence is not None and fence != "sh" and line.split(" ")[0] in PROGRAMS:
            found.append(line)
    assert found == []


def test_a_block_that_nobody_types_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```sh\nrollout list\n```\n\n- in a list:\n\n  ```sh\n  rollout list\n  ```\n")
    assert blocks(page) == ["rollout list\n", "rollout list\n"]


def test_a_command_that_nobody_takes_would_be_found(monkeypatch: Any) -> None:
    assert unclaimed("docs/performance.md") == []
    monkeypatch.setitem(BY_COMMAND, "docs/performance.md", ())
    assert unclaimed("docs/performance.md") == ["python -m tests.bench.fleet 1 50 200"]
