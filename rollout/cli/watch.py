"""Following a release: live on a terminal, a line per change elsewhere."""

import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rollout.cli.door import Door
from rollout.cli.ops_options import say_for_programs
from rollout.cli.options import Output, for_programs
from rollout.cli.tables import coloured, here, is_live
from rollout.kube.errors import NotFound
from rollout.report.ages import age, clock
from rollout.report.exit_codes import ExitCode, exit_code
from rollout.report.explain import metric_line
from rollout.report.unclaimed import UNCLAIMED, is_unclaimed
from rollout.resources.release import Phase, Release, TimelineEntry
from rollout.resources.share import serves, share


def follow(
    door: Door, namespace: str, name: str, timeout: float, output: Output = Output.TABLE
) -> ExitCode:
    """Follow a release until it ends or waits on a person; gives the exit code.

    Programs get each entry of the timeline as a value, in YAML as a document of its own.
    """
    try:
        return _followed(door, namespace, name, timeout, output)
    except NotFound:
        _tell(f"release {name} was deleted", output)
        return ExitCode.NOT_DONE


def _followed(door: Door, namespace: str, name: str, timeout: float, output: Output) -> ExitCode:
    console = Console()
    if is_live(console) and not for_programs(output):
        with Live(console=console, refresh_per_second=4) as live:
            return _until_over(
                door,
                namespace,
                name,
                timeout,
                lambda release: live.update(view(release, door.pods(release))),
            )
    if output is Output.YAML:
        print("---", flush=True)
    return _until_over(door, namespace, name, timeout, Lines(output))


def _until_over(
    door: Door, namespace: str, name: str, timeout: float, show: Callable[[Release], None]
) -> ExitCode:
    for release in door.states(namespace, name, timeout):
        show(release)
        if release.status.phase.ended or _waits(release):
            return exit_code(release.status)
    return ExitCode.RUNNING


def _waits(release: Release) -> bool:
    """Whether it waits on a person: not on one whose answer the controller has yet to take up."""
    asked = release.spec.action
    taken = asked is None or any(one.id == asked.id for one in release.status.actions)
    return release.status.phase is Phase.PAUSED and taken


class Lines:
    """Prints a line for each entry of the timeline that is new, and when nobody writes one."""

    def __init__(self, output: Output = Output.TABLE) -> None:
        self._output = output
        self._seen: set[tuple[datetime, str, str]] = set()
        self._missed = False

    def __call__(self, release: Release) -> None:
        """Print what is new."""
        if not self._missed and is_unclaimed(release, datetime.now(UTC)):
            self._missed = True
            _tell(UNCLAIMED, self._output)
        for entry in release.status.timeline:
            mark = (entry.at, entry.reason, entry.message)
            if mark not in self._seen:
                self._seen.add(mark)
                self._say(entry)

    def _say(self, entry: TimelineEntry) -> None:
        if for_programs(self._output):
            say_for_programs(entry.to_json(), self._output)
            return
        now = here()
        weight = share(entry.phase, entry.weight)
        at = f"{clock(entry.at, now)} {now:%Z}"
        print(f"{at}  {entry.phase:<12} {weight:>4}  {entry.message}", flush=True)


def _tell(said: str, output: Output) -> None:
    """Say a sentence, which is no value for programs."""
    print(said, file=sys.stderr if for_programs(output) else sys.stdout, flush=True)


def view(release: Release, pods: Mapping[str, str]) -> RenderableType:
    """Draw a release: where it is, its share, its pods, metric by metric, and what it did last."""
    status, now = release.status, here()
    head = Text.assemble(
        (release.metadata.name, "bold"),
        f"  {release.spec.version or 'template'}  {status.strategy}  ",
        coloured(str(status.phase)),
        f"  step {status.progress}  {age(status.started_at, now)}  (times in {now:%Z})",
    )
    verdict = status.verdict
    metrics = _hanging(metric_line(m).partition(" ") for m in (verdict.metrics if verdict else []))
    said = Text.assemble("verdict ", coloured(verdict.result) if verdict else "none yet")
    message = UNCLAIMED if is_unclaimed(release, now) else status.message
    return Group(head, _bars(release, pods), said, metrics, Text(message), _tail(release, now))


def _bars(release: Release, pods: Mapping[str, str]) -> Table:
    """Draw who has how much of the traffic; one bar once the new version has it all."""
    bars = Table.grid(padding=(0, 1))
    shares = _shares(release)
    for side, (name, share_) in shares.items():
        bars.add_row(
            Text(name),
            ProgressBar(total=100, completed=share_, width=40),
            f"{share_} %",
            pods.get(side),
        )
    return bars


def _shares(release: Release) -> dict[str, tuple[str, int]]:
    """Give name and share of each side that is there."""
    status, applied = release.status, release.status.weight.applied
    if serves(status):
        return {"stable": (release.spec.version or "the new version", 100)}
    return {"candidate": ("candidate", applied), "stable": ("stable", 100 - applied)}


def _tail(release: Release, now: datetime) -> RenderableType:
    """Draw what happened last."""
    last = release.status.timeline[-5:]
    return _hanging(((clock(e.at, now), " ", e.message) for e in last), style="dim")


def _hanging(rows: Iterable[tuple[str, str, str]], style: str = "") -> RenderableType:
    """Draw indented rows of a head, a gap and a sentence, which goes on below its beginning."""
    drawn = Table.grid()
    for head, gap, sentence in rows:
        drawn.add_row(Text(head + gap, style=style), Text(sentence, style=style))
    return Padding(drawn, (0, 0, 0, 2))
