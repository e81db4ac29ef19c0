"""Options that the commands of rollout ops share."""

from typing import Any

import typer

from rollout.cli import completion, options
from rollout.cli.options import Output
from rollout.resources.track import Track

NAMED = options.ROLLOUT
ROLLOUT = typer.Option(
    None, "--rollout", help="The same, as an option", autocompletion=completion.rollouts
)
TRACK = typer.Option(Track.ALL, "--track", help="Which version's pods")


def meant(named: str | None, rollout: str | None) -> str | None:
    """Say which Rollout is meant, by either way of saying it."""
    if named is not None and rollout not in {None, named}:
        raise typer.BadParameter(f"{named} and --rollout {rollout}: name one Rollout")
    return named or rollout


def say_for_programs(said: Any, output: Output) -> None:
    """Print one value of many that come: a line of JSON, or an entry of a YAML list."""
    if output is Output.JSON:
        import json

        print(json.dumps(said, default=str), flush=True)
    else:
        import yaml

        print(yaml.safe_dump([said], sort_keys=False), end="", flush=True)


def seconds_of(since: str) -> int:
    """Read `--since`, as in 90s or 1h. Raises BadParameter."""
    from rollout.resources.duration import parse_duration

    try:
        return max(int(parse_duration(since).total_seconds()), 1)
    except ValueError as error:
        raise typer.BadParameter(f"--since {since!r}: {error}") from error
