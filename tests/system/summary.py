"""What `rollout demo` prints at its end, read back: weights over time, the verdict, requests."""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from rollout.cli.demo import BAD, GOOD

STABLE: Final = "v1.0.0"
HEAD: Final = re.compile(r"(v\S+)  ([A-Z]\w+)  ")
ENTRY: Final = re.compile(r"(\d+\.\d)s +(\d+%|-) +([A-Z]\w+) +(.*)")
COUNTS: Final = re.compile(r"(v\S+) +(\d+) +(\d+) +(\d+) +(\d+)")
TOTAL: Final = re.compile(r"(\d+) requests were sent, (\d+) were lost\.")
WHY: Final = re.compile(
    r"errors [\d.]+ % \((\d+) of (\d+)\) against [\d.]+ % \((\d+) of (\d+)\) on stable, "
    r"allowed 0\.1 %: p \S+ is below \S+"
)
ON_THE_WAY: Final = ["Started", "StepEntered", "Promoting", "Baking", "Adopting", "Committed"]
"""What a release that succeeds goes through, in this order."""
LONGEST_RETURN: Final = 10.0
"""Seconds from the verdict to the end."""


@dataclass(frozen=True)
class Entry:
    """A line of a release's story."""

    after: float
    weight: str
    what: str
    message: str


@dataclass(frozen=True)
class Counts:
    """The requests that one version was sent."""

    requests: int
    ok: int
    own_errors: int
    lost: int


@dataclass(frozen=True)
class Summary:
    """All of it."""

    ends: dict[str, str]
    stories: dict[str, list[Entry]]
    counts: dict[str, Counts]
    sent: int
    lost: int


def lines_of(text: str) -> list[str]:
    """Give the lines within the frame, without it."""
    within = text.partition(" what happened ")[2].partition("╰")[0]
    return [line.strip().strip("│").rstrip() for line in within.splitlines() if "│" in line]


def read(text: str) -> Summary:
    """Read what was printed. A sentence that goes on in the next line is put together."""
    ends, stories, counts = dict[str, str](), dict[str, list[Entry]](), dict[str, Counts]()
    story = list[Entry]()
    for line in (line[1:] for line in lines_of(text)):
        if head := HEAD.match(line):
            ends[head[1]] = head[2]
            story = stories.setdefault(head[1], [])
        elif entry := ENTRY.match(line):
            story.append(Entry(float(entry[1]), entry[2], entry[3], entry[4]))
        elif row := COUNTS.fullmatch(line):
            counts[row[1]] = Counts(*map(int, row.groups()[1:]))
        elif story and line.startswith("      "):
            last = story.pop()
            said = f"{last.message} {line.strip()}"
            story.append(Entry(last.after, last.weight, last.what, said))
    total = TOTAL.search(text)
    assert total is not None, text
    return Summary(ends, stories, counts, int(total[1]), int(total[2]))


def check(told: Summary) -> None:
    """Hold it to what the demo promises."""
    assert told.ends == {GOOD: "Succeeded", BAD: "RolledBack"}
    for story in told.stories.values():
        assert all(before.after <= later.after for before, later in pairwise(story))
    check_good(told.stories[GOOD])
    check_bad(told.stories[BAD], told.counts[BAD])
    check_counts(told)


def check_good(story: list[Entry]) -> None:
    """Check that the share rises step by step, each after a Pass, to all of it."""
    weights = [entry.weight for entry in story]
    assert list(dict.fromkeys(weights)) == ["0%", "20%", "50%", "100%", "-"]
    passed = [entry.weight for entry in story if entry.what == "VerdictPass"]
    assert {"20%", "50%", "100%"} <= set(passed)
    seen = dict.fromkeys(entry.what for entry in story if not entry.what.startswith("Verdict"))
    assert [what for what in seen if what in ON_THE_WAY] == ON_THE_WAY
    assert story[-1].what == "Succeeded"


def check_bad(story: list[Entry], counts: Counts) -> None:
    """Check that the verdict fell at a step, for its errors, and that it went back.

    At the second one, where by chance (one run in a hundred) the first has seen no error.
    """
    (verdict,) = (entry for entry in story if entry.what == "VerdictFail")
    why = WHY.fullmatch(verdict.message)
    assert why is not None, verdict.message
    bad, of, stable_bad, _ = map(int, why.groups())
    assert bad / of > 0.01
    assert stable_bad == 0
    assert bad <= counts.own_errors
    assert of <= counts.requests
    assert verdict.weight in {"20%", "50%"}
    after = story[story.index(verdict) :]
    assert [entry.what for entry in after] == ["VerdictFail", "RollingBack", "RolledBack"]
    assert after[-1].weight == "0%"
    assert after[-1].after - verdict.after < LONGEST_RETURN
    assert {entry.message for entry in after} == {verdict.message}


def check_counts(told: Summary) -> None:
    """Check that the numbers agree with each other, and that only the bad version failed."""
    assert set(told.counts) == {STABLE, GOOD, BAD}
    for row in told.counts.values():
        assert row.requests == row.ok + row.own_errors + row.lost
    assert sum(row.requests for row in told.counts.values()) == told.sent
    assert sum(row.lost for row in told.counts.values()) == told.lost == 0
    failed = [version for version, row in told.counts.items() if row.own_errors]
    assert failed == [BAD]
