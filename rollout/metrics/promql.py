"""PromQL read as Prometheus reads it: what is wrong with a query, and where.

The parser says what, but not where. The place is found by asking it again: the mistake is the
first token with which the text so far can no longer be made whole by anything after it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import promql_parser

from rollout.resources.metric import VARIABLE

TOKEN: Final = re.compile(
    r"\s+|#[^\n]*"
    r'|"(?:\\.|[^"\\])*"?|\'(?:\\.|[^\'\\])*\'?|`[^`]*`?'
    r"|[a-zA-Z_:][a-zA-Z0-9_:.]*|[0-9][0-9a-zA-Z.]*|=~|!~|==|!=|>=|<=|.",
    re.DOTALL,
)
MEANING: Final = re.compile(
    r"expected type|argument\(s\)|wrong number of arguments|unknown function|illegal regex|"
    r"binary expression|set operator|comparisons between|vector selector must contain|"
    r"operation|modifier|only allowed|must be|must contain"
)
"""Words of the parser about a query that is well formed and makes no sense."""
ENDINGS: Final = (
    "",
    "x",
    " x",
    "(x)",
    "[5m]",
    "5m]",
    "5m",
    " 5m",
    "1",
    '"a"',
    '="a"',
    'a="a"',
    '"',
    "`",
)
CLOSERS: Final = {"(": ")", "[": "]", "{": "}"}
UNNAMED: Final = "invalid promql query"
NAMED: Final = re.compile(r"'([^']*)'")
NO_NUMBER: Final = {
    "MatrixSelector": "a range of values per series: wrap it in rate(), increase() or another",
    "SubqueryExpr": "a range of values per series: wrap it in max_over_time() or another",
    "StringLiteral": "a text",
}


@dataclass(frozen=True)
class Mistake:
    """What is wrong with a query, and from which character on (counted from 0)."""

    offset: int
    message: str


def mistake(query: str) -> Mistake | None:
    """Say what is wrong with a metric's query; its variables stand for names. None: nothing."""
    text = VARIABLE.sub(lambda found: "v" * len(found[0]), query)
    try:
        parsed = promql_parser.parse(text)
    except ValueError as error:
        said = str(error)
        return Mistake(_place(text, said), "no PromQL" if said == UNNAMED else said)
    gives = NO_NUMBER.get(type(parsed).__name__)
    return Mistake(0, f"the query must give one number, and gives {gives}") if gives else None


def shown(query: str, offset: int) -> str:
    """Say a place in a query for people: character, line where there are several, and text."""
    before, rest = query[:offset], query[offset:]
    if not rest.strip():
        return f"at its end, after `{_line(before.rstrip())[-30:]}`"
    line = before.count("\n") + 1
    column = offset - before.rfind("\n")
    where = f"line {line}, character {column}" if "\n" in query.strip() else f"character {column}"
    return f"at {where}, at `{rest.splitlines()[0][:30]}`"


def _line(text: str) -> str:
    return text.rpartition("\n")[2]


def _place(text: str, said: str) -> int:
    if MEANING.search(said):
        return _named(text, said)
    end = 0
    for token in TOKEN.finditer(text):
        if token[0].strip() and not _may_go_on(text[: token.end()]):
            return token.start()
        end = token.end()
    return end


def _named(text: str, said: str) -> int:
    """Find the name that the parser speaks of; the beginning where it names none."""
    names = [*NAMED.findall(said), said.rpartition("illegal regex for ")[2]]
    places = (text.find(name) for name in names if name)
    return next((place for place in places if place >= 0), 0)


def _may_go_on(begun: str) -> bool:
    """Whether anything after this could make a query of it."""
    return any(map(_reads, _endings(begun)))


def _endings(begun: str) -> Iterator[str]:
    closing = "".join(CLOSERS[bracket] for bracket in reversed(_open(begun)))
    for ending in ENDINGS:
        for closed in range(min(len(closing), 1) + 1):
            # An ending may close the innermost bracket itself, as `5m]` does.
            yield begun + ending + closing[closed:]
            yield begun + ending + closing[closed:] + " (x)"
            yield begun + ending + closing[closed:] + " x"


def _open(begun: str) -> list[str]:
    """Give the brackets that are open at the end, the outermost first."""
    found = list[str]()
    for token in TOKEN.finditer(begun):
        if token[0] in CLOSERS:
            found.append(token[0])
        elif token[0] in CLOSERS.values() and found:
            found.pop()
    return found


def _reads(text: str) -> bool:
    try:
        promql_parser.parse(text)
    except ValueError as error:
        return MEANING.search(str(error)) is not None
    return True
