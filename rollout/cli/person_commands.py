"""What a person asks of a running release: promote, pause, resume, rollback."""

import typer

from rollout.cli.options import REASON, RELEASE, Globals, dump, for_programs, shared


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("promote", help=PROMOTE)(shared(promote))
    app.command("pause", help=PAUSE)(shared(pause))
    app.command("resume", help=RESUME)(shared(resume))
    app.command("rollback", help=ROLLBACK)(shared(rollback))


PROMOTE = """Let the current step pass, or approve it.

Examples:

\b
  rollout promote
  rollout promote checkout --full --reason "hotfix, watched by hand"
"""
PAUSE = """Have a release stay where it is.

Example:

\b
  rollout pause checkout --reason "incident elsewhere"
"""
RESUME = """Let a paused release go on.

Example:

\b
  rollout resume checkout
"""
ROLLBACK = """Send all traffic back to the stable version, at once.

Example:

\b
  rollout rollback checkout --reason "latency in Frankfurt"
"""


def promote(
    context: typer.Context,
    release: str = RELEASE,
    full: bool = typer.Option(False, "--full", help="Skip all steps: all traffic now"),
    reason: str = REASON,
) -> None:
    """Let the current step pass."""
    _ask(context, "promoteFull" if full else "promote", release, reason)


def pause(context: typer.Context, release: str = RELEASE, reason: str = REASON) -> None:
    """Have a release stay where it is."""
    _ask(context, "pause", release, reason)


def resume(context: typer.Context, release: str = RELEASE, reason: str = REASON) -> None:
    """Let a paused release go on."""
    _ask(context, "resume", release, reason)


def rollback(context: typer.Context, release: str = RELEASE, reason: str = REASON) -> None:
    """Send all traffic back."""
    _ask(context, "rollback", release, reason)


def _ask(context: typer.Context, type_: str, release: str | None, reason: str) -> None:
    from rollout.cli.door import find
    from rollout.resources.action import ActionType

    options: Globals = context.obj
    door = options.door()
    space = options.space(door)
    name = find(door, space, release).metadata.name
    asked = door.ask(space, name, ActionType(type_), reason)
    if for_programs(options.output):
        dump({"release": name, "action": asked.action.to_json()}, options.output)
    else:
        print(asked.message)
