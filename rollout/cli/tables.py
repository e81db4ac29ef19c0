"""Tables for terminals; plain columns when nobody looks at one."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from rollout.report.ages import age
from rollout.report.standing import state
from rollout.resources.release import Release
from rollout.resources.rollout import Rollout

COLOURS = {
    "Succeeded": "green",
    "Pass": "green",
    "RolledBack": "red",
    "Failed": "red",
    "Fail": "red",
    "RollingBack": "red",
    "Paused": "yellow",
    "NoData": "yellow",
    "Error": "yellow",
}


def table(*columns: str) -> Table:
    """Return a table as kubectl would draw it."""
    found = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        found.add_column(column, no_wrap=column != "MESSAGE")
    return found


def show(drawn: Table) -> None:
    """Print a table; colours only on a terminal, and the whole width when there is none."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=240)
    console.print(drawn)


class Columns:
    """Columns of a table that goes on, line by line; one that is too narrow grows."""

    def __init__(self, *names: str) -> None:
        self._names = names
        self._widths = [len(name) for name in names]

    def make_room(self, *cells: str) -> None:
        """Be as wide as a row needs."""
        self._widths = [max(len(c), w) for c, w in zip(cells, self._widths, strict=True)]

    def head(self) -> str:
        """Give the line of names."""
        return self.line(*self._names)

    def line(self, *cells: str) -> str:
        """Give a row as a line."""
        self.make_room(*cells)
        aligned = (c.ljust(width) for c, width in zip(cells, self._widths, strict=True))
        return "  ".join(aligned).rstrip()


def coloured(word: str) -> str:
    """Give a word its colour."""
    colour = COLOURS.get(word)
    return f"[{colour}]{word}[/]" if colour else word


def release_table(releases: Sequence[Release], *, wide: bool) -> Table:
    """Draw releases, oldest first."""
    now = datetime.now(UTC)
    extra = ("BY", "MESSAGE") if wide else ()
    drawn = table(
        "NAME", "VERSION", "STRATEGY", "PHASE", "STEP", "WEIGHT", "VERDICT", "AGE", *extra
    )
    for release in sorted(releases, key=lambda r: str(r.metadata.creation_timestamp)):
        status = release.status
        row = [
            release.metadata.name,
            _version(release),
            status.strategy,
            coloured(str(status.phase)),
            status.progress,
            "-" if status.phase.ended else f"{status.weight.applied}%",
            coloured(status.verdict.result) if status.verdict else "-",
            age(release.metadata.creation_timestamp, now),
        ]
        drawn.add_row(*row, *((release.spec.by, status.message) if wide else ()))
    return drawn


def _version(release: Release) -> str:
    """Say what is shipped; of a whole template the tag of its image."""
    resolved = release.status.resolved
    image = resolved.image.rpartition("/")[2] if resolved else ""
    return release.spec.version or image.partition(":")[2] or "(template)"


def rollout_table(rollouts: Sequence[Rollout], *, namespaces: bool) -> Table:
    """Draw Rollouts."""
    now = datetime.now(UTC)
    first = ("NAMESPACE",) if namespaces else ()
    drawn = table(
        *first, "NAME", "DEPLOYMENT", "STRATEGY", "VERSION", "RELEASE", "LAST", "STATE", "AGE"
    )
    for rollout in rollouts:
        status = rollout.status
        space = (rollout.metadata.namespace,) if namespaces else ()
        drawn.add_row(
            *space,
            rollout.metadata.name,
            rollout.spec.target.deployment,
            rollout.spec.strategy.name,
            status.stable_version or "-",
            status.active_release or "-",
            coloured(status.last_release.phase) if status.last_release else "-",
            state(rollout),
            age(rollout.metadata.creation_timestamp, now),
        )
    return drawn


def timeline_table(release: Release) -> Table:
    """Draw what happened."""
    drawn = table("TIME", "PHASE", "WEIGHT", "WHAT", "MESSAGE")
    for entry in release.status.timeline:
        weight = f"{entry.weight}%" if entry.weight is not None else "-"
        at = entry.at.strftime("%H:%M:%S")
        drawn.add_row(at, str(entry.phase), weight, entry.reason, entry.message)
    return drawn
