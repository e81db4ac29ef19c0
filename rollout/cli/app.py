"""The commands by name, and what happens to errors: a sentence on stderr, never a traceback."""

import os
import sys

import typer

from rollout.cli import (
    again_commands,
    cluster_commands,
    completion,
    convert_command,
    doctor_command,
    init_command,
    install_command,
    look_commands,
    ops_commands,
    person_commands,
    policy_commands,
    start_command,
    uninstall_command,
)
from rollout.cli.completion import COMPLETE, PROGRAM
from rollout.cli.options import (
    INSECURE_HTTP,
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
from rollout.cli.usage import Commands

HELP = """Ship new versions a little at a time, and take them back when they hurt users.

Examples:

\b
  rollout start v1.2.4 --deployment checkout --watch
  rollout status
  rollout explain
  rollout promote --reason "looks good"
  rollout rollback --reason "latency in Frankfurt"
  rollout undo --watch

Exit codes: 0 succeeded, 1 error, 2 usage, 3 rolled back, 4 waits on a person,
5 still running, 6 failed, cancelled or superseded, 7 converted in part,
130 interrupted.
"""

app = typer.Typer(
    cls=Commands,
    help=HELP,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        cluster_commands.version()
        raise typer.Exit


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
    insecure_http: bool = INSECURE_HTTP,
    version: bool = typer.Option(  # noqa: ARG001 - answered before anything else
        False, "--version", is_eager=True, callback=_version, help="Print the version"
    ),
) -> None:
    """Keep what holds for every command."""
    chosen = output or Output.TABLE
    to_server = (server, token, server_ca, insecure_http)
    context.obj = Globals(namespace, kube_context, kubeconfig, chosen, *to_server)


init_command.register(app)
start_command.register(app)
person_commands.register(app)
again_commands.register(app)
look_commands.register(app)
ops_commands.register(app)
policy_commands.register(app)
convert_command.register(app)
doctor_command.register(app)
cluster_commands.register(app)
install_command.register(app)
uninstall_command.register(app)
completion.register(app)


def run() -> None:
    """Run the command line."""
    if COMPLETE in os.environ:
        from typer._completion_classes import completion_init

        completion_init()
    try:
        app(prog_name=PROGRAM)
    except KeyboardInterrupt:
        from rollout.report.exit_codes import ExitCode

        sys.exit(ExitCode.INTERRUPTED)
    except Exception as error:
        from rollout.cli.failures import sentence

        said = sentence(error)
        if said is None:
            raise
        sys.stderr.write(f"rollout: {said}\n")
        sys.exit(1)
