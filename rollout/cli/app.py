"""The commands by name, and what happens to errors: a sentence on stderr, never a traceback."""

import sys

import typer

from rollout.cli import (
    cluster_commands,
    install_command,
    look_commands,
    person_commands,
    start_command,
)
from rollout.cli.options import (
    KUBE_CONTEXT,
    KUBECONFIG,
    NAMESPACE,
    OUTPUT,
    SERVER,
    SERVER_CA,
    TOKEN,
    Globals,
    Output,
)

HELP = """Ship new versions a little at a time, and take them back when they hurt users.

Examples:

\b
  rollout start v1.2.4 --deployment checkout --watch
  rollout status
  rollout explain
  rollout promote --reason "looks good"
  rollout rollback --reason "latency in Frankfurt"

Exit codes: 0 succeeded, 1 error, 2 usage, 3 rolled back, 4 waits on a person,
5 still running, 6 failed or cancelled.
"""

app = typer.Typer(
    help=HELP,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def everywhere(  # noqa: PLR0917 - options, each by its name
    context: typer.Context,
    namespace: str = NAMESPACE,
    kube_context: str = KUBE_CONTEXT,
    kubeconfig: str = KUBECONFIG,
    output: Output = OUTPUT,
    server: str = SERVER,
    token: str = TOKEN,
    server_ca: str = SERVER_CA,
) -> None:
    """Keep what holds for every command."""
    chosen = output or Output.TABLE
    context.obj = Globals(namespace, kube_context, kubeconfig, chosen, server, token, server_ca)


start_command.register(app)
person_commands.register(app)
look_commands.register(app)
cluster_commands.register(app)
install_command.register(app)


def run() -> None:
    """Run the command line."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        from rollout.cli.failures import sentence

        said = sentence(error)
        if said is None:
            raise
        sys.stderr.write(f"rollout: {said}\n")
        sys.exit(1)
