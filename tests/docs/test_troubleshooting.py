"""Each message that the troubleshooting page quotes is one that the code can say."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "troubleshooting.md").read_text()
QUOTED: Final = [line[2:] for line in PAGE.splitlines() if line.startswith("> ")]
REASONS: Final = sorted(set(re.findall(r"`(?:[A-Z]\w+/)?([A-Z][a-z]+[A-Z]\w+)`", PAGE)))
LITERAL: Final = 0.25
"""The share of a quote that must be the code's own words, not a name filled in."""


def sources() -> Iterator[ast.Module]:
    for file in (ROOT / "rollout").rglob("*.py"):
        yield ast.parse(file.read_text())


def sayings() -> Iterator[list[str]]:
    """Every text of the code, as the pieces between what is filled in."""
    for module in sources():
        for node in ast.walk(module):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield [node.value]
            elif isinstance(node, ast.JoinedStr):
                yield pieces(node)


def pieces(node: ast.JoinedStr) -> list[str]:
    found = [""]
    for part in node.values:
        if isinstance(part, ast.Constant):
            found[-1] += str(part.value)
        else:
            found.append("")
    return found


@cache
def long_sayings() -> list[list[str]]:
    return [one for one in sayings() if sum(map(len, one)) > 3]


def said(message: str) -> bool:
    return any(
        sum(map(len, one)) >= LITERAL * len(message)
        and re.fullmatch(".+?".join(map(re.escape, one)), message)
        for one in long_sayings()
    )


def test_the_page_quotes_something() -> None:
    assert len(QUOTED) > 30


@pytest.mark.parametrize("message", QUOTED)
def test_a_quoted_message_is_said_by_the_code(message: str) -> None:
    assert said(message)


def test_a_message_that_nobody_says_would_be_found() -> None:
    assert not said("Deployment web is not settled: try turning it off and on again")
    assert not said(QUOTED[0] + " or so")


def test_every_reason_on_the_page_is_one_of_the_code() -> None:
    words = {one[0] for one in long_sayings() if len(one) == 1}
    assert REASONS
    assert [reason for reason in REASONS if reason not in words] == []
