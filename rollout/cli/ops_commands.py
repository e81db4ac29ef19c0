"""rollout ops: the service of a Rollout, by track. What looks at it and what changes its size."""

from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Final

import typer

from rollout.cli import again_commands, ops_streams
from rollout.cli.ops_options import NAMED, ROLLOUT, TRACK, meant, say_for_programs, seconds_of
from rollout.cli.options import Globals, Output, dump, for_programs, shared
from rollout.resources.track import Track

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rollout.report.event_words import EventRow
    from rollout.resources.writes import Object

OPS = """Look after the service of a Rollout, by track.

A track is stable, candidate, or all.

These commands speak to the cluster itself, not to a rollout server.

Examples:

\b
  rollout ops pods
  rollout ops logs --follow
  rollout ops exec --track candidate -- env
"""
PODS = """Show the pods of both versions. Pods that are of neither are shown as `other`.

Examples:

\b
  rollout ops pods
  rollout ops pods checkout --track candidate -o wide
"""
EVENTS = """Show what happened to a service, the newest last.

Kubernetes and rollout say it in Events.

Of the Rollout, its Releases, both Deployments, their ReplicaSets and pods, and autoscalers.

Examples:

\b
  rollout ops events
  rollout ops events checkout --since 5m --watch
"""
SCALE = """Set the size of a service. While a release runs, the candidate goes by it.

Refused where an autoscaler owns the size, with how to change its bounds.

Example:

\b
  rollout ops scale checkout --replicas 6
"""
RESTART = again_commands.RESTART.replace("rollout restart", "rollout ops restart")
HPA = """Show the autoscalers of a service.

What a release does with them is said, too.

Example:

\b
  rollout ops hpa checkout
"""


EVENT_COLUMNS: Final = ("AGE", "TYPE", "REASON", "OBJECT", "COUNT", "MESSAGE")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    ops = typer.Typer(help=OPS, no_args_is_help=True, rich_markup_mode=None)
    ops.command("pods", help=PODS)(shared(pods))
    ops_streams.register(ops)
    ops.command("events", help=EVENTS)(shared(events))
    ops.command("scale", help=SCALE)(shared(scale))
    ops.command("restart", help=RESTART)(shared(again_commands.restart))
    ops.command("hpa", help=HPA)(shared(hpa))
    app.add_typer(ops, name="ops")


def pods(
    context: typer.Context, named: str = NAMED, rollout: str = ROLLOUT, track: Track = TRACK
) -> None:
    """Show the pods."""
    from rollout.cli.tables import pod_table, show
    from rollout.commands.ops.family import find_family, members, version_container
    from rollout.report.pod_words import pod_row

    options: Globals = context.obj
    cluster = options.cluster()
    space = options.space(cluster)
    family = find_family(cluster, space, meant(named, rollout))
    container = version_container(family)
    found = members(cluster, space, family, track)
    rows = [pod_row(one.pod, one.side.value, container) for one in found]
    if for_programs(options.output):
        dump([row.to_json() for row in rows], options.output)
        return
    owners = [_owner(one.pod) for one in found] if options.output is Output.WIDE else None
    show(pod_table(rows, owners))
    if not rows:
        print("there are no such pods: `rollout ops events` may say why")


def _owner(pod: "Object") -> str:
    from rollout.resources.objects import controller_of

    owner = controller_of(pod)
    return f"{owner['kind']}/{owner['name']}" if owner is not None else "-"


def events(
    context: typer.Context,
    named: str = NAMED,
    rollout: str = ROLLOUT,
    since: str = typer.Option("1h", "--since", help="No older than this, as in 90s or 1h"),
    watch: bool = typer.Option(False, "--watch", "-w", help="Go on with those that come"),
) -> None:
    """Show the events."""
    from rollout.cli.tables import show, table
    from rollout.commands.ops.family import find_family
    from rollout.commands.ops.happenings import coming, past

    options: Globals = context.obj
    cluster = options.cluster()
    space, now = options.space(cluster), datetime.now(UTC)
    family = find_family(cluster, space, meant(named, rollout))
    known, version = past(cluster, space, family)
    earliest = now - timedelta(seconds=seconds_of(since))
    rows = [row for row in known if row.at >= earliest]
    if watch:
        _say_on(rows, coming(cluster, space, family, version), options.output)
        return
    if for_programs(options.output):
        dump([row.to_json() for row in rows], options.output)
        return
    drawn = table(*EVENT_COLUMNS)
    for row in rows:
        drawn.add_row(*_cells(row))
    show(drawn)
    if not rows:
        print(
            f"there are no events of the last {since}: --since looks further back, up to the hour "
            "for which Kubernetes keeps them"
        )


def _cells(row: "EventRow") -> tuple[str, ...]:
    from rollout.report.ages import age

    old = age(row.at, datetime.now(UTC))
    return old, row.type, row.reason, row.object, str(row.count), row.message


def _say_on(rows: "Iterable[EventRow]", coming: "Iterable[EventRow]", output: Output) -> None:
    """Say what was, and what comes, in the same columns."""
    from rollout.cli.tables import Columns

    columns, shown = Columns(*EVENT_COLUMNS), list(rows)
    columns.make_room("", "Warning", "", "", "", "")  # one may yet come
    for row in shown:
        columns.make_room(*_cells(row))
    if not for_programs(output):
        print(columns.head(), flush=True)
    for row in chain(shown, coming):
        if for_programs(output):
            say_for_programs(row.to_json(), output)
        else:
            print(columns.line(*_cells(row)), flush=True)


def scale(
    context: typer.Context,
    named: str = NAMED,
    rollout: str = ROLLOUT,
    replicas: int = typer.Option(..., "--replicas", min=0, help="How many pods"),
) -> None:
    """Set the size."""
    from rollout.commands.ops.scaling import scale as set_size

    options: Globals = context.obj
    cluster = options.cluster()
    done = set_size(cluster, options.space(cluster), meant(named, rollout), replicas)
    if for_programs(options.output):
        dump(vars(done), options.output)
    else:
        print(done.message)


def hpa(context: typer.Context, named: str = NAMED, rollout: str = ROLLOUT) -> None:
    """Show the autoscalers."""
    from rollout.cli.tables import scaler_table, show
    from rollout.commands.ops.family import find_family
    from rollout.commands.ops.scaling import scaler_rows
    from rollout.resources.objects import name_of

    options: Globals = context.obj
    cluster = options.cluster()
    space = options.space(cluster)
    family = find_family(cluster, space, meant(named, rollout))
    rows = scaler_rows(cluster, space, family)
    if for_programs(options.output):
        dump([row.to_json() for row in rows], options.output)
        return
    if not rows:
        target = name_of(family.target)
        print(
            f"no HorizontalPodAutoscaler targets Deployment {target}, so its size is set by hand, "
            "as with `rollout ops scale --replicas 3`"
        )
        return
    show(scaler_table(rows))
    for row in rows:
        print("\n".join(["", f"{row.name}:", *(f"  {c}" for c in row.conditions)]))
        print(f"  {row.release}")
