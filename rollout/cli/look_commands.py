"""Commands that only look: status, watch, list, history, explain."""

from typing import TYPE_CHECKING

import typer

from rollout.cli.options import RELEASE, Globals, Output, dump, for_programs, shared

if TYPE_CHECKING:
    from rollout.cli.door import Door


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("status", help=STATUS)(shared(status))
    app.command("watch", help=WATCH)(shared(watch))
    app.command("list", help=LIST)(shared(list_))
    app.command("history", help=HISTORY)(shared(history))
    app.command("explain", help=EXPLAIN)(shared(explain))


STATUS = """Show where a release is. With --exit-code the exit code says it too.

Examples:

\b
  rollout status
  rollout status checkout --exit-code -o json
"""
WATCH = """Follow a release to its end, or until it waits on a person.

Examples:

\b
  rollout watch
  rollout watch checkout --timeout 600
"""
LIST = """List Rollouts and what runs now.

Example:

\b
  rollout list -o wide
"""
HISTORY = """Show what happened in a release, and the releases before it.

Example:

\b
  rollout history checkout
"""
EXPLAIN = """Say why a release is where it is, and what comes next.

Example:

\b
  rollout explain checkout
"""


def status(
    context: typer.Context,
    release: str = RELEASE,
    exit_code: bool = typer.Option(False, "--exit-code", help="Exit with the release's state"),
) -> None:
    """Show where a release is."""
    from rollout.cli.door import find
    from rollout.cli.tables import release_table, show
    from rollout.report.exit_codes import exit_code as code

    options: Globals = context.obj
    door = options.door()
    found = find(door, options.space(door), release)
    if for_programs(options.output):
        dump(found.to_json(), options.output)
    else:
        wide = options.output is Output.WIDE
        show(release_table([found], wide=wide))
        if found.status.message and not wide:
            print(found.status.message)
    if exit_code:
        raise typer.Exit(code(found.status))


def watch(
    context: typer.Context,
    release: str = RELEASE,
    timeout: float = typer.Option(3600.0, "--timeout", min=0, help="Longest time, in seconds"),
) -> None:
    """Follow a release."""
    from rollout.cli.door import find
    from rollout.cli.watch import follow

    options: Globals = context.obj
    door = options.door()
    space = options.space(door)
    found = find(door, space, release)
    raise typer.Exit(follow(door, space, found.metadata.name, timeout, options.output))


def list_(
    context: typer.Context,
    everywhere: bool = typer.Option(False, "--all-namespaces", "-A", help="All namespaces"),
) -> None:
    """List Rollouts."""
    from rollout.cli.tables import rollout_table, show
    from rollout.report.standing import invalid, readable

    options: Globals = context.obj
    door = options.door()
    space = None if everywhere else options.space(door)
    found = door.rollouts(space)
    if for_programs(options.output):
        dump(found, options.output)
    elif not found:
        where = space or "any namespace"
        print(f"no Rollout in {where}: `rollout start VERSION --deployment NAME` makes one")
    else:
        wide = options.output is Output.WIDE
        show(rollout_table(readable(found), namespaces=everywhere, wide=wide))
        for line in invalid(found, namespaces=everywhere):
            print(line)


def history(context: typer.Context, release: str = RELEASE) -> None:
    """Show what happened."""
    from rollout.cli.tables import release_table, show, timeline_table
    from rollout.commands.find import choose

    options: Globals = context.obj
    door = options.door()
    space = options.space(door)
    known = door.releases(space, release)
    found = choose(known, space, release)
    all_ = [r for r in known if r.spec.rollout == found.spec.rollout]
    if for_programs(options.output):
        dump([r.to_json() for r in all_], options.output)
        return
    show(release_table(all_, wide=options.output is Output.WIDE))
    print(f"\n{found.metadata.name}:")
    show(timeline_table(found))


def explain(context: typer.Context, release: str = RELEASE) -> None:
    """Say why."""
    from rollout.cli.door import find
    from rollout.commands.refusal import CommandRefusedError

    options: Globals = context.obj
    door = options.door()
    space = options.space(door)
    try:
        found = find(door, space, release)
    except CommandRefusedError:
        lines = _standing(door, space, release)
        if not lines:
            raise
        name = release or ""
    else:
        ended = found.status.phase.ended
        lines = [
            *door.explain(found),
            *(_standing(door, space, found.spec.rollout) if ended else []),
        ]
        name = found.metadata.name
    if for_programs(options.output):
        dump({"release": name, "lines": lines}, options.output)
    else:
        print("\n".join(lines))


def _standing(door: "Door", space: str, name: str | None) -> list[str]:
    """Say what a Rollout waits for while nothing of it runs."""
    from rollout.report.standing import standing

    return standing(door.rollouts(space), name)
