"""`rollout init`."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from rollout.cli import completion
from rollout.cli.options import Globals, dump, for_programs, shared

if TYPE_CHECKING:
    from rollout.commands.init import Worded
    from rollout.kube.client import HttpCluster


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init", help=INIT)(shared(init))


INIT = """Word a Rollout for a Deployment, with comments.

It is worded from what is in the cluster.

Prints it, and says what was found and what is assumed; nothing is written without
--write or --apply.

Examples:

\b
  rollout init
  rollout init checkout --policy --write deploy/rollout.yaml
  rollout init checkout --apply
"""


def init(  # noqa: PLR0917 - options, each by its name
    context: typer.Context,
    deployment: str = typer.Argument(
        None, help="The Deployment that serves", autocompletion=completion.deployments
    ),
    rollout: str = typer.Option(
        None, "--rollout", "-r", help="Name of the Rollout (default: the Deployment's)"
    ),
    strategy: str = typer.Option(None, "--strategy", "-s", help="canary or blue-green"),
    container: str = typer.Option(
        None, "--container", help="The container whose image is the version"
    ),
    policy: bool = typer.Option(False, "--policy", help="Word a RolloutPolicy too, to be changed"),
    write: Path = typer.Option(None, "--write", help="Write a file, which must not exist yet"),
    apply: bool = typer.Option(False, "--apply", help="Create it in the cluster"),
) -> None:
    """Word a Rollout."""
    from rollout.commands.init import Wish, refuse_what_cannot_begin, word
    from rollout.commands.init import apply as create

    options: Globals = context.obj
    cluster = options.cluster()
    space = options.space(cluster)
    chosen = deployment or _asked(cluster, space)
    worded = word(cluster, space, Wish(chosen, rollout, strategy, container, policy))
    if for_programs(options.output):
        dump({"objects": list(worded.objects), **_said(worded)}, options.output)
    elif write is None and not apply:
        print(worded.text, end="")
    if apply:
        refuse_what_cannot_begin(worded)  # before a file is in the way of the next try
    if write is not None:
        _write(write, worded.text)
    if apply:
        create(cluster, space, worded)
    if write is not None or apply:
        _tell(worded, write, applied=apply)


def _asked(cluster: "HttpCluster", namespace: str) -> str | None:
    """Ask which Deployment, where there are several and somebody is there to answer."""
    import sys

    from rollout.commands.rollouts import their_deployments

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    names = their_deployments(cluster, namespace)
    if len(names) < 2:  # noqa: PLR2004 - nothing to choose from
        return None
    answer: str = typer.prompt(f"Which Deployment ({', '.join(names)})?")
    return answer


def _write(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError as error:
        raise FileExistsError(f"{file} exists already: name another file, or move it") from error


def _said(worded: "Worded") -> dict[str, list[str]]:
    return {
        "found": list(worded.found),
        "assumed": list(worded.assumed),
        "inTheWay": list(worded.against),
    }


def _tell(worded: "Worded", file: Path | None, *, applied: bool) -> None:
    import sys

    for title, sentences in _said(worded).items():
        for said in sentences:
            sys.stderr.write(f"{'in the way' if title == 'inTheWay' else title}: {said}\n")
    if file is not None:
        sys.stderr.write(f"written to {file}\n")
    if applied:
        sys.stderr.write("created: `rollout start VERSION` begins a release\n")
