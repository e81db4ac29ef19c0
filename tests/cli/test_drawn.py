"""What is drawn: words as they are, moments on the reader's clock, lines where nobody looks on."""

import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import yaml
from rich.console import Console

from rollout.cli.options import Output
from rollout.cli.tables import is_live, show, table, timeline_table
from rollout.cli.watch import follow, view
from rollout.report.ages import clock
from rollout.report.exit_codes import ExitCode
from rollout.resources.release import Release
from tests import build

AT = "2026-01-01T01:12:00Z"


def release(*messages: str, phase: str = "Succeeded", **status: Any) -> Release:
    entries = [{"at": AT, "phase": phase, "reason": "Kept", "message": one} for one in messages]
    return Release.model_validate(
        {**build.release(), "status": {"phase": phase, "timeline": entries, **status}}
    )


class Told:
    """A door through which a release is seen in one state."""

    def __init__(self, release: Release) -> None:
        self.release = release

    def states(self, namespace: str, name: str, seconds: float) -> Iterator[Release]:  # noqa: ARG002
        yield self.release


def door(*messages: str) -> Any:
    return Told(release(*messages))


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


WORDS = ["fd00:10:b:a::7", "10:100:10", "[red]no[/]", "a \\"]


@pytest.mark.parametrize("word", WORDS)
def test_a_cell_is_shown_as_it_is(capsys: pytest.CaptureFixture[str], word: str) -> None:
    drawn = table("IP")
    drawn.add_row(word)
    show(drawn)
    assert capsys.readouterr().out.splitlines() == ["IP", word]


def test_a_live_view_shows_a_message_as_it_is() -> None:
    console = Console(record=True, width=120)
    console.print(view(release(*WORDS, message="10:100:10 [red]"), {}))
    shown = console.export_text()
    assert all(word in shown for word in (*WORDS, "10:100:10 [red]"))


def test_entries_of_one_moment_are_told_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert follow(door("one", "two"), "default", "web-v2", 1.0) is ExitCode.SUCCEEDED
    first, second = capsys.readouterr().out.splitlines()
    assert (first.endswith("    -  one"), second.endswith("    -  two")) == (True, True)


@pytest.mark.parametrize("output", [Output.JSON, Output.YAML])
def test_programs_that_follow_read_values(
    capsys: pytest.CaptureFixture[str], output: Output
) -> None:
    follow(door("one", "two"), "default", "web-v2", 1.0, output)
    said = capsys.readouterr().out
    if output is Output.JSON:
        found = [json.loads(line) for line in said.splitlines()]
    else:
        (found,) = yaml.safe_load_all(said)
    assert [one["message"] for one in found] == ["one", "two"]


def test_a_pipe_is_no_terminal_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert not sys.stdout.isatty()
    assert not is_live(Console())


@pytest.mark.usefixtures("berlin")
def test_history_is_on_the_clock_of_who_reads(capsys: pytest.CaptureFixture[str]) -> None:
    show(timeline_table(release("one")))
    head, line = capsys.readouterr().out.splitlines()
    assert head.startswith(("TIME (CET)", "TIME (CEST)"))
    assert line.startswith(("2026-01-01 02:12:00", "2026-01-01 03:12:00"))


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (datetime(2026, 1, 2, 22, 30, tzinfo=UTC), "00:30:00"),
        (datetime(2026, 1, 2, 21, 30, tzinfo=UTC), "2026-01-02 23:30:00"),
    ],
)
def test_a_moment_has_its_date_unless_it_is_of_today(at: datetime, said: str) -> None:
    now = datetime(2026, 1, 3, 12, tzinfo=timezone(timedelta(hours=2)))
    assert clock(at, now) == said
