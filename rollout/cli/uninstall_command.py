"""`rollout uninstall`."""

from functools import partial
from typing import TYPE_CHECKING, Final

import typer

from rollout.cli.ops_options import say_for_programs
from rollout.cli.options import Globals, Output, dump, for_programs, shared, user

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollout.commands.uninstall.survey import Survey
    from rollout.kube.client import HttpCluster

HELP: Final = """Take rollout out of the cluster.

Every service is left running. Says what would be done, and does it with --yes.
--namespace is where the controller runs (default: rollout-system).

Examples:

\b
  rollout uninstall
  rollout uninstall --yes
  rollout uninstall --roll-back --yes
"""
DO_IT: Final = "Nothing was done: the same command with --yes does it."


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("uninstall", help=HELP)(shared(uninstall))


def uninstall(
    context: typer.Context,
    yes: bool = typer.Option(False, "--yes", "-y", help="Do it, instead of saying what is done"),
    roll_back: bool = typer.Option(
        False, "--roll-back", help="Roll back the releases that run, instead of refusing"
    ),
    timeout: float = typer.Option(
        300.0, "--timeout", min=1, help="Longest wait for one step, in seconds"
    ),
) -> None:
    """Say what is done, or do it."""
    from datetime import UTC, datetime

    from rollout.cli.manifests import NAMESPACE, everything
    from rollout.commands.uninstall.survey import survey

    options: Globals = context.obj
    cluster = options.cluster()
    home = options.namespace or NAMESPACE
    found = survey(cluster, home, everything(home), datetime.now(UTC))
    if yes:
        _refuse(found, roll_back)
        _carry_out(cluster, found, roll_back, timeout, _tell(options.output))
    else:
        _say(options, cluster.server, found, roll_back)
        _refuse(found, roll_back)


def _say(options: Globals, server: str, found: "Survey", roll_back: bool) -> None:
    from rollout.commands.uninstall.steps import against, notes, steps

    planned = steps(found, roll_back=roll_back)
    refused = against(found, roll_back=roll_back)
    if for_programs(options.output):
        said = {
            "server": server,
            "steps": [vars(one) for one in planned],
            "notes": list(notes(found)),
        }
        dump({**said, "against": list(refused)}, options.output)
        return
    if not planned:
        print(f"There is nothing to remove from {server}.")
        return
    print(f"From {server} this is removed, in this order:\n")
    for number, step in enumerate(planned, 1):
        print(f"{number}. {step}")
    print()
    for note in notes(found):
        print(f"note: {note}")
    if not refused:
        print(f"\n{DO_IT}")


def _refuse(found: "Survey", roll_back: bool) -> None:
    from rollout.commands.refusal import CommandRefusedError
    from rollout.commands.uninstall.steps import against

    refused = against(found, roll_back=roll_back)
    if refused:
        raise CommandRefusedError("not removed: " + "; ".join(refused))


def _tell(output: Output) -> "Callable[[str], None]":
    """Give what says each thing as soon as it is done, also where no terminal reads."""
    if for_programs(output):
        return lambda said: say_for_programs({"message": said}, output)
    return partial(print, flush=True)


def _carry_out(
    cluster: "HttpCluster",
    found: "Survey",
    roll_back: bool,
    timeout: float,
    tell: "Callable[[str], None]",
) -> None:
    from rollout.commands.uninstall.removal import Removal
    from rollout.commands.uninstall.steps import UNTOUCHED

    Removal(cluster, found, user(cluster), roll_back, tell, timeout).carry_out()
    tell(f"rollout is removed; {UNTOUCHED}")
