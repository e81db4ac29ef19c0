"""`rollout demo`: a good version goes out, a bad one comes back by itself, under real requests."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from rollout.cli.cluster_door import pods_of
from rollout.cli.tables import coloured, is_live, table
from rollout.cli.watch import view
from rollout.commands.request import Request
from rollout.commands.start import start
from rollout.resources.release import Phase, Release
from rollout.resources.share import share
from rollout.resources.writes import Kind
from rollout.sandbox import example
from rollout.sandbox.load import Load, Plan, Snapshot
from rollout.sandbox.practice import PracticeCluster

GOOD: Final = "v1.1.0"
BAD: Final = "v1.2.0-errors8"
RATE: Final = 80.0
LONGEST: Final = 110.0
"""Seconds after which the demo ends whatever happens."""


@dataclass(frozen=True)
class Shipped:
    """One release of the demo, when it was over, and the requests while it ran."""

    release: Release
    requests: Snapshot


def demo(picture: Path | None = None) -> int:
    """Show both; gives 0 when they ended as they should and no request was lost."""
    console = Console(record=picture is not None, width=100 if picture else None)
    began = time.monotonic()
    with PracticeCluster(tell=lambda said: console.print(f"[dim]{said}[/]")) as practice:
        practice.apply(example.objects())
        practice.start_controller()
        console.print("[dim]starting 4 pods of v1.0.0[/]")
        await_served(practice.edge.url, began)
        plan = Plan(practice.edge.url, host=example.HOST, rate=RATE, seconds=LONGEST)
        with Load(plan) as load:
            time.sleep(1.0)
            shipped = [_ship(console, practice, load, version, began) for version in (GOOD, BAD)]
            time.sleep(1.0)
    requests = load.tally.snapshot()
    console.print(summary(shipped, requests))
    if picture is not None:
        picture.write_text(_without_fonts(console.export_svg(title="rollout demo")))
    phases = [one.release.status.phase for one in shipped]
    fine = phases == [Phase.SUCCEEDED, Phase.ROLLED_BACK] and requests.lost_count == 0
    return 0 if fine else 1


def _without_fonts(svg: str) -> str:
    """Drop the fonts that rich would fetch from elsewhere: the picture works without internet."""
    return re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.DOTALL)


def await_served(url: str, began: float) -> None:
    """Wait until the example is served. Raises TimeoutError when the demo's time runs out."""
    while time.monotonic() - began < LONGEST / 2:
        with suppress(httpx.TransportError):  # a machine that is busy is slow to answer
            answer = httpx.get(url, headers={"host": example.HOST}, trust_env=False, timeout=2.0)
            if answer.is_success:
                return
        time.sleep(0.1)
    raise TimeoutError("the practice cluster did not serve in time: is the machine very busy?")


def _ship(
    console: Console, practice: PracticeCluster, load: Load, version: str, began: float
) -> Shipped:
    console.rule(f"rollout start {version}")
    before = load.tally.snapshot()
    request = Request(version, by="you", reason="demo")
    name = str(start(practice.cluster, "default", request).release["metadata"]["name"])
    with _shown(console) as show:
        while True:
            release = Release.model_validate(practice.shop(Kind.RELEASE, name))
            requests = load.tally.snapshot().since(before)
            show(Group(view(release, pods_of(practice.cluster, release)), versions(requests)))
            if release.status.phase.ended or time.monotonic() - began > LONGEST:
                break
            time.sleep(0.25)
    console.print(Text(f"{release.status.phase}: {release.status.message}"))
    return Shipped(release, requests)


@contextmanager
def _shown(console: Console) -> Iterator[Callable[[RenderableType], None]]:
    """Show something live on a terminal; elsewhere only as it is at the end."""
    if is_live(console) and not console.record:
        with Live(console=console, refresh_per_second=4) as live:
            yield live.update
        return
    last: list[RenderableType] = []

    def keep(shown: RenderableType) -> None:
        last[:] = [shown]

    yield keep
    for shown in last:
        console.print(shown)


def versions(requests: Snapshot) -> Table:
    """Draw requests by version."""
    drawn = table("VERSION", "REQUESTS", "OK", "ITS OWN ERRORS", "LOST")
    for version, count in sorted(requests.by_version.items()):
        row = (count.total, count.ok, count.dialled, count.lost)
        drawn.add_row(version or "(no answer)", *(str(number) for number in row))
    return drawn


def summary(shipped: list[Shipped], requests: Snapshot) -> RenderableType:
    """Draw what happened: weights over time, when the verdict fell and why, and requests."""
    parts: list[RenderableType] = []
    for one in shipped:
        release = one.release
        parts += [
            Text.assemble(
                (release.spec.version or "template", "bold"),
                "  ",
                coloured(str(release.status.phase)),
                f"  {release.status.message}",
            ),
            _weights(release),
            Text(""),
        ]
    lost = f"{requests.sent} requests were sent, {requests.lost_count} were lost."
    return Panel(Group(*parts, versions(requests), Text(lost)), title="what happened")


def _weights(release: Release) -> Table:
    drawn = table("AFTER", "WEIGHT", "WHAT", "MESSAGE")
    began = release.status.started_at or datetime.now(UTC)
    for entry in release.status.timeline:
        after = f"{(entry.at - began).total_seconds():.1f}s"
        weight = share(entry.phase, entry.weight)
        drawn.add_row(after, weight, entry.reason, entry.message)
    return drawn
