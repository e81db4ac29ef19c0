"""Every command that a text of ours names can be typed as it stands there."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import typer
from typer._click.exceptions import ClickException, MissingParameter
from typer.core import TyperGroup
from typer.main import get_command

from rollout.cli.app import app

ROOT: Final = Path(__file__).parents[2]
GROUP: Final = get_command(app)
PAGES: Final = (
    *ROOT.glob("*.md"),
    *(page for part in ("docs", "policies", "manifests") for page in (ROOT / part).rglob("*.md")),
)
"""Every page for people."""
NAMED: Final = "NAME"
"""Stands for what the code fills in."""


def texts(source: str) -> Iterator[str]:
    """Every text of a module, whole, whatever pieces it is written in."""
    inner = set[ast.AST]()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            inner |= set(ast.walk(node)) - {node}
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else NAMED for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in inner:
            yield node.value


def quoted(text: str) -> Iterator[str]:
    """The commands of ours between backticks, and the lines of examples."""
    for found in re.findall(r"`(rollout\s[^`]*)`", text):
        yield " ".join(found.split())
    yield from re.findall(r"^  (rollout [a-z].*)$", text, re.MULTILINE)


def commands() -> Iterator[str]:
    for file in (ROOT / "rollout").rglob("*.py"):
        for text in texts(file.read_text()):
            yield from quoted(text)
    for page in PAGES:
        yield from re.findall(r"`(rollout [^`\n]*)`", page.read_text())


def complaint(command: str) -> str:
    """What the parser has against a command; values may be left out, or stand as CAPITALS."""
    words = shlex.split(re.split(r" \| | \d?>|  ", command)[0])[1:]
    found: Any = GROUP
    context = None
    try:
        while isinstance(found, TyperGroup):
            context = found.make_context(found.name, words, parent=context)
            words = [*context._protected_args, *context.args]
            _, found, words = found.resolve_command(context, words)
        found.make_context(found.name, words, parent=context)
    except (MissingParameter, typer.Exit):  # Exit: `--help` is all that was asked
        return ""
    except ClickException as error:
        said = error.format_message()
        return "" if re.search(r"'[A-Z]+' is not|requires an argument", said) else said
    return ""


COMMANDS: Final = sorted(set(commands()))


def test_texts_name_commands() -> None:
    assert len(COMMANDS) > 50


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_a_text_names_exists_with_its_options(command: str) -> None:
    assert complaint(command) == ""


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("rollout init --deployment NAME", "No such option: --deployment"),
        ("rollout begin VERSION", "No such command 'begin'"),
        ("rollout policy look NAME", "No such command 'look'"),
        ("rollout policy show NAME NAME", "unexpected extra argument"),
        ("rollout completion tcsh", "'tcsh' is not one of"),
    ],
)
def test_a_command_that_cannot_be_typed_would_be_found(command: str, said: str) -> None:
    assert said in complaint(command)


def test_a_command_is_found_whatever_pieces_its_text_is_written_in() -> None:
    source = r'said = f"{name}: `rollout " f"undo --to {version}` or " "`rollout\n start`"'
    found = [one for text in texts(source) for one in quoted(text)]
    assert found == ["rollout undo --to NAME", "rollout start"]
