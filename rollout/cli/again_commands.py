"""Commands that ship something known, or drop what waits: retry, undo, restart, discard-edit."""

from typing import TYPE_CHECKING

import typer

from rollout.cli.options import (
    REASON,
    RELEASE,
    ROLLOUT,
    TIMEOUT,
    WATCH,
    Globals,
    Output,
    dump,
    for_programs,
    shared,
    user,
)

if TYPE_CHECKING:
    from rollout.cli.door import Door
    from rollout.commands.request import Started


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("retry", help=RETRY)(shared(retry))
    app.command("undo", help=UNDO)(shared(undo))
    app.command("restart", help=RESTART)(shared(restart))
    app.command("discard-edit", help=DISCARD_EDIT)(shared(discard_edit))


RETRY = """Try a release again: the same version, as a new release.

What it did differently from its Rollout is done so again.

Examples:

\b
  rollout retry
  rollout retry checkout --reason "the database is back" --watch
"""
UNDO = """Bring back what served before, on the fast path.

There are no steps, no judge and no bake on it.

All traffic moves as soon as the pods are ready. `rollout rollback` turns it round until
the Deployment serves. Undo again goes further back.

Examples:

\b
  rollout undo
  rollout undo checkout --to v1.2.3 --reason "orders are lost" --watch
"""
RESTART = """Replace all pods by new ones of the same version.

They go through the steps like any release.

Example:

\b
  rollout restart checkout --reason "new certificates"
"""
DISCARD_EDIT = """Drop an edit that waits on a paused Deployment.

No pod is touched. Prints the template that is dropped, so that it can be kept.

Examples:

\b
  rollout discard-edit
  rollout discard-edit checkout -o yaml > edit.yaml
"""


def retry(
    context: typer.Context,
    release: str = RELEASE,
    reason: str = REASON,
    watch: bool = WATCH,
    timeout: float = TIMEOUT,
) -> None:
    """Try a release again."""
    from rollout.cli.door import find

    options: Globals = context.obj
    door = options.door()
    space = options.space(door)
    started = door.retry(space, find(door, space, release).metadata.name, reason)
    _told(options, door, started, timeout if watch else None)


def undo(  # noqa: PLR0917 - options, each by its name
    context: typer.Context,
    rollout: str = ROLLOUT,
    to: str = typer.Option(None, "--to", help="A version that served, instead of the last one"),
    reason: str = REASON,
    watch: bool = WATCH,
    timeout: float = TIMEOUT,
) -> None:
    """Bring back what served before."""
    from rollout.cli.cluster_door import ClusterDoor
    from rollout.commands.undo import undo

    options: Globals = context.obj
    cluster = options.cluster()
    by, space = user(cluster), options.space(cluster)
    started = undo(cluster, space, rollout, to=to, by=by, reason=reason)
    _told(options, ClusterDoor(cluster), started, timeout if watch else None)


def restart(
    context: typer.Context,
    rollout: str = ROLLOUT,
    reason: str = REASON,
    watch: bool = WATCH,
    timeout: float = TIMEOUT,
) -> None:
    """Replace all pods."""
    from datetime import UTC, datetime

    from rollout.cli.cluster_door import ClusterDoor
    from rollout.commands.restart import restart

    options: Globals = context.obj
    cluster = options.cluster()
    space, now = options.space(cluster), datetime.now(UTC)
    started = restart(cluster, space, rollout, by=user(cluster), reason=reason, now=now)
    _told(options, ClusterDoor(cluster), started, timeout if watch else None)


def _told(options: Globals, door: "Door", started: "Started", timeout: float | None) -> None:
    """Say what was started, and follow it where that is wanted."""
    from rollout.report.started import on_its_way
    from rollout.resources.objects import name_of

    name = name_of(started.release)
    if for_programs(options.output):
        dump(started.release, options.output)
    else:
        for line in started.assumed:
            print(line)
        print(on_its_way(name))
    if timeout is not None:
        from rollout.cli.watch import follow

        raise typer.Exit(follow(door, options.space(door), name, timeout, options.output))


def discard_edit(context: typer.Context, rollout: str = ROLLOUT) -> None:
    """Drop an edit that waits."""
    from rollout.commands.discard import discard_edit

    options: Globals = context.obj
    cluster = options.cluster()
    done = discard_edit(cluster, options.space(cluster), rollout)
    if for_programs(options.output):
        dump({"discarded": done.template, "message": done.message}, options.output)
        return
    print(f"{done.message}. The template that was discarded:\n")
    dump(done.template, Output.YAML)
