"""Shell completion: the script, and names asked of the cluster, quickly or not at all.

Whoever presses Tab waits, and sees no error: a cluster that cannot be reached has no names. With
a rollout server the names are asked of it: the kubeconfig's cluster may be another.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from rollout.cli.options import Globals
    from rollout.resources.writes import Kind

PROGRAM: Final = "rollout"
COMPLETE: Final = "_ROLLOUT_COMPLETE"
"""Set by the scripts of `rollout completion`: the shell asks what could come next."""
PATIENCE: Final = 1.5
"""Seconds after which no names are offered."""


class Shell(StrEnum):
    """Shells that a script can be had for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


COMPLETION = """Print the completion script of a shell. Names come from the cluster, or --server.

Examples:

\b
  source <(rollout completion bash)
  rollout completion zsh > "${fpath[1]}/_rollout"
  rollout completion fish > ~/.config/fish/completions/rollout.fish
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("completion", help=COMPLETION)(completion)


def completion(shell: Shell = typer.Argument(help="bash, zsh or fish")) -> None:
    """Print the script."""
    from typer._completion_shared import get_completion_script

    print(get_completion_script(prog_name=PROGRAM, complete_var=COMPLETE, shell=shell.value))


def releases(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer Releases, with their phases, and Rollouts."""
    return [*_offered(context, incomplete, "Release"), *rollouts(context, incomplete)]


def rollouts(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer Rollouts, with their Deployments."""
    return list(_offered(context, incomplete, "Rollout"))


def deployments(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer Deployments."""
    return list(_offered(context, incomplete, "Deployment"))


def policies(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer RolloutPolicies."""
    return list(_offered(context, incomplete, "RolloutPolicy"))


def _offered(context: typer.Context, incomplete: str, kind: str) -> Iterator[tuple[str, str]]:
    from rollout.resources.writes import BY_KIND_NAME

    for found in _listed(context, BY_KIND_NAME[kind]):
        name = str(found["metadata"]["name"])
        if name.startswith(incomplete):
            yield name, f"{kind}{_about(found)}"


def _about(found: Any) -> str:
    spec, status = found.get("spec") or {}, found.get("status") or {}
    about = status.get("phase") or (spec.get("target") or {}).get("deployment")
    return f" {about}" if about else ""


def _listed(context: typer.Context, kind: "Kind") -> Sequence[Any]:
    from rollout.commands.refusal import CommandRefusedError
    from rollout.kube.errors import ClusterError

    options = _options(context)
    try:
        return _of_server(options, kind) if options.server else _of_cluster(options, kind)
    except (ClusterError, CommandRefusedError, OSError, ValueError):
        return ()


def _options(context: typer.Context) -> "Globals":
    from rollout.cli.options import Globals, Output

    said = _said(context)
    return Globals(
        said.get("namespace"),
        said.get("kube_context"),
        said.get("kubeconfig"),
        Output.TABLE,
        said.get("server"),
        said.get("token"),
        said.get("server_ca"),
        said.get("insecure_http"),
    )


def _of_cluster(options: "Globals", kind: "Kind") -> Sequence[Any]:
    with options.cluster().within(PATIENCE) as cluster:
        return cluster.list(kind, options.space(cluster)).items


def _of_server(options: "Globals", kind: "Kind") -> Sequence[Any]:
    """Ask the server, which shows Rollouts and releases only."""
    from rollout.resources.writes import Kind

    if kind not in {Kind.ROLLOUT, Kind.RELEASE}:
        return ()
    door = options.http_door(options.server or "").once(PATIENCE)
    return door.listed(kind, options.space(door))


def _said(context: typer.Context) -> dict[str, Any]:
    """Collect what stands on the line so far, before and after the command."""
    found: dict[str, Any] = {}
    at: Any = context
    while at is not None:
        found = {**{k: v for k, v in at.params.items() if v is not None}, **found}
        at = at.parent
    return found
