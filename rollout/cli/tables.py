"""Tables for terminals; plain columns when nobody looks at one."""

import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from rollout.report.ages import age, clock
from rollout.report.pod_words import PodRow, version_of_image
from rollout.report.standing import state, waits_for
from rollout.resources.policy import BUILT_IN
from rollout.resources.release import Release
from rollout.resources.rollout import Rollout
from rollout.resources.share import share

if TYPE_CHECKING:
    from rollout.report.autoscaling import ScalerRow

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

WIDEST: Final = 100_000
PADDING: Final = re.compile(r" +(\x1b\[[0-9;]*m)? *$")


class Literal(Table):
    """A table that shows words as they are: `[red]`, `:a:` and the like mean nothing in them."""

    def add_row(self, *cells: RenderableType | None, **more: Any) -> None:
        """Add a row."""
        super().add_row(*(Text(one) if isinstance(one, str) else one for one in cells), **more)


def table(*columns: str) -> Table:
    """Return a table as kubectl would draw it."""
    found = Literal(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        found.add_column(column, no_wrap=column != "MESSAGE")
    return found


def show(drawn: Table) -> None:
    """Print a table, nothing cut: rows run over a narrow terminal, as kubectl's do."""
    console = Console()
    unbounded = console.options.update(max_width=WIDEST)
    console = Console(width=Measurement.get(console, unbounded, drawn).maximum)
    with console.capture() as held:
        console.print(drawn)
    for line in held.get().splitlines():
        print(PADDING.sub(r"\1", line))


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


def coloured(word: str) -> Text:
    """Give a word its colour."""
    return Text(word, style=COLOURS.get(word, ""))


def is_live(console: Console) -> bool:
    """Whether somebody looks on whose terminal can draw over what it has drawn."""
    return console.is_interactive and sys.stdout.isatty()


def here() -> datetime:
    """Give the moment that it is, on the clock of whoever reads."""
    return datetime.now(UTC).astimezone()


def release_table(releases: Sequence[Release], *, wide: bool) -> Table:
    """Draw releases, oldest first."""
    now = datetime.now(UTC)
    extra = ("BY", "MESSAGE") if wide else ()
    drawn = table(
        "NAME", "VERSION", "STRATEGY", "PHASE", "STEP", "WEIGHT", "VERDICT", "AGE", *extra
    )
    for release in sorted(releases, key=lambda r: str(r.metadata.creation_timestamp)):
        status = release.status
        row: list[RenderableType] = [
            release.metadata.name,
            _version(release),
            status.strategy,
            coloured(str(status.phase)),
            status.progress,
            share(status.phase, None if status.phase.ended else status.weight.applied),
            coloured(status.verdict.result) if status.verdict else "-",
            age(release.metadata.creation_timestamp, now),
        ]
        drawn.add_row(*row, *((release.spec.by, status.message) if wide else ()))
    return drawn


def _version(release: Release) -> str:
    """Say what is shipped; of a whole template the version of its image."""
    resolved = release.status.resolved
    return release.spec.version or (version_of_image(resolved.image) if resolved else "(template)")


def rollout_table(rollouts: Sequence[Rollout], *, namespaces: bool, wide: bool) -> Table:
    """Draw Rollouts."""
    now = datetime.now(UTC)
    first = ("NAMESPACE",) if namespaces else ()
    extra = ("CONTAINER", "POLICY", "MESSAGE") if wide else ()
    drawn = table(
        *(*first, "NAME", "DEPLOYMENT", "STRATEGY", "VERSION", "RELEASE", "LAST", "STATE", "AGE"),
        *extra,
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
            *(_details(rollout) if wide else ()),
        )
    return drawn


def _details(rollout: Rollout) -> tuple[str, str, str]:
    """Say which container and policy were named, and how it stands."""
    policy = rollout.spec.policy
    judged = BUILT_IN if policy is None else policy.name or "(inline)"
    return rollout.spec.target.container or "-", judged, waits_for(rollout)


def timeline_table(release: Release) -> Table:
    """Draw what happened."""
    now = here()
    drawn = table(f"TIME ({now:%Z})", "PHASE", "WEIGHT", "WHAT", "MESSAGE")
    for entry in release.status.timeline:
        at, weight = clock(entry.at, now), share(entry.phase, entry.weight)
        drawn.add_row(at, str(entry.phase), weight, entry.reason, entry.message)
    return drawn


def pod_table(rows: Sequence[PodRow], owners: Sequence[str] | None) -> Table:
    """Draw pods, with their owners where these are given."""
    now = datetime.now(UTC)
    drawn = table(
        *("NAME", "TRACK", "READY", "STATUS", "RESTARTS", "VERSION", "IP", "NODE", "AGE"),
        *(() if owners is None else ("OWNER",)),
    )
    for number, row in enumerate(rows):
        cells = (row.name, row.track, row.ready, row.status, row.restarts_in_words(now))
        owner = () if owners is None else (owners[number],)
        drawn.add_row(*cells, row.version, row.ip, row.node, age(row.created, now), *owner)
    return drawn


def scaler_table(rows: Sequence["ScalerRow"]) -> Table:
    """Draw autoscalers."""
    drawn = table("NAME", "MIN", "MAX", "CURRENT", "DESIRED", "METRICS")
    for row in rows:
        metrics = ", ".join(f"{m.name}: {m.current}/{m.target}" for m in row.metrics) or "-"
        figures = map(str, (row.minimum, row.maximum, row.current, row.desired))
        drawn.add_row(row.name, *figures, metrics)
    return drawn
