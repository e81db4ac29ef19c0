"""The picture of the demo shows what the program draws, and keeps what it promises."""

import html
import io
import re
from pathlib import Path

from rich.console import Console

from rollout.cli.demo import BAD, GOOD, Shipped, summary
from rollout.resources.release import Release
from rollout.sandbox.load import Snapshot
from tests import build
from tests.system.summary import check, lines_of, read

PICTURE = Path(__file__).parents[2] / "docs" / "demo.svg"
TEXT = re.compile(r'<text class="[^"]*" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>')
CELL = 12.2
"""Width of a letter in the picture."""


def shown() -> str:
    """Give the text of the picture, line by line."""
    rows: dict[float, str] = {}
    for x, y, piece in sorted(TEXT.findall(PICTURE.read_text()), key=lambda found: float(found[0])):
        text = html.unescape(piece).replace("\xa0", " ").rstrip("\n")
        rows[float(y)] = rows.get(float(y), "").ljust(round(float(x) / CELL)) + text
    return "\n".join(rows[y] for y in sorted(rows))


def words(text: str) -> list[str]:
    """Give the lines within the frame, however far apart their words are."""
    return [" ".join(line.split()) for line in lines_of(text)]


def test_it_keeps_what_the_demo_promises() -> None:
    check(read(shown()))


def test_its_headings_are_those_of_the_program() -> None:
    release = Release.model_validate(build.release())
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(summary([Shipped(release, Snapshot(0))], Snapshot(0)))
    drawn, lines = words(console.export_text()), words(shown())
    story, counts = (line for line in drawn if line.isupper())
    assert (lines.count(story), lines.count(counts)) == (2, 1)
    for version in (GOOD, BAD):
        assert f" rollout start {version} " in shown()
