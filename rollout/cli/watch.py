"""Following a release: live on a terminal, a line per change elsewhere."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rollout.cli.door import Door
from rollout.cli.tables import coloured
from rollout.kube.errors import NotFound
from rollout.report.ages import age
from rollout.report.exit_codes import ExitCode, exit_code
from rollout.report.explain import metric_line
from rollout.resources.release import Phase, Release


def follow(door: Door, namespace: str, name: str, timeout: float) -> ExitCode:
    """Follow a release until it ends or waits on a person; gives the exit code."""
    console = Console()
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4) as live:
            return _until_over(
                door,
                namespace,
                name,
                timeout,
                lambda release: live.update(view(release, door.pods(release))),
            )
    return _until_over(door, namespace, name, timeout, Lines())


def _until_over(
    door: Door, namespace: str, name: str, timeout: float, show: Callable[[Release], None]
) -> ExitCode:
    try:
        for release in door.states(namespace, name, timeout):
            show(release)
            if release.status.phase.ended or _waits(release):
                return exit_code(release.status)
    except NotFound:
        print(f"release {name} was deleted")
        return ExitCode.NOT_DONE
    return ExitCode.RUNNING


def _waits(release: Release) -> bool:
    """Whether it waits on a person: not on one whose answer the controller has yet to take up."""
    asked = release.spec.action
    taken = asked is None or any(one.id == asked.id for one in release.status.actions)
    return release.status.phase is Phase.PAUSED and taken


class Lines:
    """Prints a line for each entry of the timeline that is new."""

    def __init__(self) -> None:
        self._seen: set[tuple[datetime, str]] = set()

    def __call__(self, release: Release) -> None:
        """Print what is new."""
        for entry in release.status.timeline:
            mark = (entry.at, entry.reason)
            if mark not in self._seen:
                self._seen.add(mark)
                weight = f"{entry.weight or 0:>3}%"
                at = entry.at.strftime("%H:%M:%S")
                print(f"{at}  {entry.phase:<12} {weight}  {entry.message}", flush=True)


def view(release: Release, pods: Mapping[str, str]) -> RenderableType:
    """Draw a release: where it is, its share, its pods, metric by metric, and what it did last."""
    status = release.status
    head = Text.from_markup(
        f"[bold]{release.metadata.name}[/]  {release.spec.version or 'template'}  "
        f"{status.strategy}  {coloured(str(status.phase))}  step {status.progress}  "
        f"{age(status.started_at, datetime.now(UTC))}"
    )
    bar = Table.grid(padding=(0, 1))
    for side, share in (
        ("candidate", status.weight.applied),
        ("stable", 100 - status.weight.applied),
    ):
        drawn = ProgressBar(total=100, completed=share, width=40)
        bar.add_row(side, drawn, f"{share} %", pods.get(side, ""))
    verdict = status.verdict
    metrics = [Text(f"  {metric_line(m)}") for m in (verdict.metrics if verdict else [])]
    said = Text.from_markup(f"verdict {coloured(verdict.result) if verdict else 'none yet'}")
    tail = [
        Text(f"  {entry.at.strftime('%H:%M:%S')}  {entry.message}", style="dim")
        for entry in status.timeline[-5:]
    ]
    return Group(head, bar, said, *metrics, Text(status.message), *tail)
