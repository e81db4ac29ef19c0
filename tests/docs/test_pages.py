import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from rollout.cli.app import app
from rollout.report.exit_codes import MEANING

ROOT = Path(__file__).parent.parent.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_link_leads_nowhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", page.read_text())
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_every_exit_code_is_documented() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    for code, meaning in MEANING.items():
        assert f"| {code.value} | {meaning} |" in page


def commands(command: Any, name: str = "rollout") -> Iterator[tuple[str, Any]]:
    """Every command of the command line, by what people type."""
    inner: dict[str, Any] = getattr(command, "commands", {})
    for word, found in inner.items():
        yield from commands(found, f"{name} {word}")
    if not inner:
        yield name, command


APP = dict(commands(get_command(app)))
CLI = (ROOT / "docs" / "cli.md").read_text()


@pytest.mark.parametrize("name", APP)
def test_every_command_is_documented_and_has_an_example(name: str) -> None:
    rows = [line for line in CLI.splitlines() if line.startswith("| `")]
    assert any(re.search(rf"`{re.escape(name)}[ `]", row) for row in rows)
    said = APP[name].help
    assert "Example" in said
    assert f"  {name}" in said or f"({name}" in said


def test_no_command_or_option_is_documented_that_there_is_not() -> None:
    for row in [line for line in CLI.splitlines() if line.startswith("| `rollout ")]:
        documented = re.findall(r"`(rollout [a-z -]+[a-z])", row.split(" | ")[0])
        assert documented
        assert [name for name in documented if name not in APP] == [], row
        options = {o for name in documented for p in APP[name].params for o in p.opts}
        named = set(re.findall(r"--[a-z-]+", row.split(" | ")[1]))
        assert named - options == set(), row
