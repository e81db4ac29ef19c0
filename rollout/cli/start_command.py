"""`rollout start`."""

from enum import StrEnum
from pathlib import Path
from typing import Any

import typer

from rollout.cli import completion
from rollout.cli.files import read
from rollout.cli.options import REASON, TIMEOUT, WATCH, Globals, dump, for_programs, shared


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("start", help=HELP)(shared(start))


class Shape(StrEnum):
    """How traffic moves to the new version."""

    CANARY = "canary"
    BLUE_GREEN = "blue-green"


HELP = """Start a release: ship VERSION a little at a time.

Examples:

\b
  rollout start v1.2.4
  rollout start v1.2.4 --deployment checkout --strategy blue-green
  rollout start registry.example.com/shop:v2 --policy policies/strict.yaml --watch
"""


def start(  # noqa: PLR0917 - options, each by its name
    context: typer.Context,
    version: str = typer.Argument(help="Image tag, or a whole image when it has a / or a digest"),
    deployment: str = typer.Option(
        None,
        "--deployment",
        "-d",
        help="The Deployment that serves",
        autocompletion=completion.deployments,
    ),
    rollout: str = typer.Option(
        None, "--rollout", "-r", help="The Rollout to use", autocompletion=completion.rollouts
    ),
    strategy: Shape = typer.Option(None, "--strategy", "-s", help="How traffic moves"),
    policy: str = typer.Option(None, "--policy", "-p", help="A RolloutPolicy's name, or a file"),
    reason: str = REASON,
    watch: bool = WATCH,
    timeout: float = TIMEOUT,
) -> None:
    """Start a release."""
    from rollout.commands.request import Request
    from rollout.report.started import on_its_way
    from rollout.resources.objects import name_of

    options: Globals = context.obj
    asked = (version, rollout, deployment, strategy and strategy.value, _policy(policy))
    door = options.door()
    space = options.space(door)
    started = door.start(space, Request(*asked, reason=reason))
    if for_programs(options.output):
        dump(started.release, options.output)
    else:
        for line in started.assumed:
            print(f"note: {line}")
        print(on_its_way(name_of(started.release)))
    if watch:
        from rollout.cli.watch import follow

        raise typer.Exit(follow(door, space, name_of(started.release), timeout, options.output))


def _policy(said: str | None) -> dict[str, Any] | None:
    if said is None:
        return None
    if not Path(said).is_file():
        if "/" in said or said.endswith((".yaml", ".yml")):
            raise typer.BadParameter(f"--policy {said}: there is no such file")
        return {"name": said}
    from rollout.commands.policies import policy_in

    return {
        "inline": policy_in(
            read(Path(said), "name a policy, or a file that can be read"), said
        ).to_json()
    }
