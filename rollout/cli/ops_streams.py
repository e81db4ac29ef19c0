"""Commands of rollout ops that go on: logs, exec, port-forward."""

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperCommand

from rollout.cli.ops_options import NAMED, ROLLOUT, TRACK, meant, say_for_programs, seconds_of
from rollout.cli.options import Globals, Output, for_programs, shared
from rollout.resources.track import Track

if TYPE_CHECKING:
    from socket import socket

    from rollout.commands.ops.family import Member
    from rollout.commands.ops.following import Said

LOGS = """Read the logs of both versions at once.

Each line has its track and pod.

With --follow pods that come later are followed too. Ends with Ctrl-C.

Examples:

\b
  rollout ops logs
  rollout ops logs checkout --follow --since 5m
  rollout ops logs --track candidate --previous
"""
EXEC = """Run a command in a ready pod of a track.

Its exit code is ours.

Which pod it is, is said on stderr. On a terminal it gets a terminal.

Examples:

\b
  rollout ops exec --track candidate -- env
  rollout ops exec checkout -- sh
"""
FORWARD = """Let a local port lead to a ready pod of a track.

When that pod goes, it leads to another.

Many connections may use it. Ends with Ctrl-C.

Examples:

\b
  rollout ops port-forward 8080
  rollout ops port-forward checkout 9090:http --track candidate
"""
TAIL_OF_FOLLOWED: Final = 10
POD = typer.Option(None, "--pod", help="This pod")
CONTAINER = typer.Option(None, "--container", "-c", help="This container (default: the version's)")
COMMAND: Final = "rollout.ops.command"
COLOURS: Final = {"stable": "green", "candidate": "yellow", "other": "red"}


class AfterDashes(TyperCommand):
    """A command that takes all after `--` for another program, and keeps its own words apart."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put what stands after `--` aside."""
        at = args.index("--") if "--" in args else len(args)
        ctx.meta[COMMAND] = args[at + 1 :]
        return super().parse_args(ctx, args[:at])

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Say in the usage that there is more after `--`."""
        return [*super().collect_usage_pieces(ctx), "--", "COMMAND..."]


def register(ops: typer.Typer) -> None:
    """Add the commands."""
    ops.command("logs", help=LOGS)(shared(logs))
    ops.command("exec", help=EXEC, cls=AfterDashes)(shared(exec_))
    ops.command("port-forward", help=FORWARD)(shared(port_forward))


def logs(  # noqa: PLR0917 - options, each by its name
    context: typer.Context,
    named: str = NAMED,
    rollout: str = ROLLOUT,
    track: Track = TRACK,
    follow: bool = typer.Option(False, "--follow", "-f", help="Go on with what comes"),
    tail: int = typer.Option(None, "--tail", min=0, help="Last lines of each pod"),
    since: str = typer.Option(None, "--since", help="No older than this, as in 90s or 1h"),
    previous: bool = typer.Option(False, "--previous", "-p", help="Of the run before this one"),
    timestamps: bool = typer.Option(False, "--timestamps", help="With the moment of each line"),
    pod: str = POD,
    container: str = CONTAINER,
) -> None:
    """Read the logs."""
    from rollout.commands.ops.family import Looks, version_container
    from rollout.commands.ops.following import Follower, Wish, read_logs

    options: Globals = context.obj
    if follow and previous:
        raise typer.BadParameter("--previous: a run that has ended cannot be followed")
    cluster = options.cluster()
    space = options.space(cluster)
    looks = Looks(cluster, space, meant(named, rollout), track, pod)
    looks.check()
    lines = TAIL_OF_FOLLOWED if follow and tail is None and since is None else tail
    version = version_container(looks.family)
    wish = Wish(
        space, container, version, previous, lines, None if since is None else seconds_of(since)
    )
    found, refused = ([] if follow else looks.members()), list[str]()
    said = (
        Follower(cluster, looks.members, wish, _tell).lines()
        if follow
        else read_logs(cluster, found, wish, refused.append)
    )
    with closing(said):
        for one in said:
            _print_line(one, options.output, timestamps=timestamps)
    if not follow:
        _say_what_is_missing(found, refused)


def _say_what_is_missing(found: "list[Member]", refused: list[str]) -> None:
    for one in refused:
        _tell(one)
    if not found:
        _tell("there are no such pods: `rollout ops pods` shows what there is")
    elif len(refused) == len(found):
        raise typer.Exit(1)


def _print_line(said: "Said", output: Output, *, timestamps: bool) -> None:
    line = said.line
    if for_programs(output):
        who = {"track": said.side.value, "pod": said.pod, "container": said.container}
        say_for_programs({"at": line.stamp, **who, "line": line.text}, output)
        return
    prefix = f"{said.side.value:<9} {said.pod}"
    if sys.stdout.isatty():
        prefix = typer.style(prefix, fg=COLOURS[said.side.value])
    moment = f"{line.stamp} " if timestamps else ""
    print(f"{prefix} | {moment}{line.text}", flush=True)


def exec_(  # noqa: PLR0917 - options, each by its name
    context: typer.Context,
    named: str = NAMED,
    rollout: str = ROLLOUT,
    track: Track = TRACK,
    pod: str = POD,
    container: str = CONTAINER,
    stdin: bool = typer.Option(None, "--stdin/--no-stdin", "-i", help="Pass our input on"),
    tty: bool = typer.Option(None, "--tty/--no-tty", "-t", help="Give it a terminal"),
) -> None:
    """Run a command."""
    from rollout.commands.ops.family import Looks, container_of, pick, version_container
    from rollout.kube.commands import CommandRequest, run_command

    command = context.meta[COMMAND]
    if not command:
        raise typer.BadParameter("say what to run after --, as in `rollout ops exec -- env`")
    options: Globals = context.obj
    cluster = options.cluster()
    looks = Looks(cluster, options.space(cluster), meant(named, rollout), track, pod)
    looks.check()
    found = pick(looks.members(), track, pod)
    within = container_of(found.pod, container, version_container(looks.family))
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    request = CommandRequest(
        looks.namespace,
        found.name,
        within,
        command,
        stdin=terminal if stdin is None else stdin,
        tty=terminal if tty is None else tty,
    )
    _tell(f"{found.side} pod {found.name}, container {within}")
    with _raw_terminal(raw=request.tty and request.stdin) as streams:
        code = run_command(cluster, request, streams)
    raise typer.Exit(code)


@contextmanager
def _raw_terminal(*, raw: bool) -> "Iterator[Any]":
    """Give our streams; in `raw`, keys go there as they are typed, Ctrl-C too."""
    import termios
    import tty

    from rollout.kube.commands import Streams

    streams = Streams(0, 1, 2, os.get_terminal_size if sys.stdout.isatty() else None)
    if not (raw and sys.stdin.isatty()):
        yield streams
        return
    before = termios.tcgetattr(0)
    try:
        tty.setraw(0, termios.TCSANOW)  # keeps what was typed already
        yield streams
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def port_forward(  # noqa: PLR0917 - options, each by its name
    context: typer.Context,
    words: list[str] = typer.Argument(..., metavar="[ROLLOUT] [LOCAL:]REMOTE", help="The ports"),
    rollout: str = ROLLOUT,
    track: Track = TRACK,
    pod: str = POD,
    address: str = typer.Option("127.0.0.1", "--address", help="Where to listen"),
) -> None:
    """Forward a port."""
    import threading

    from rollout.commands.ops.family import Looks, pick
    from rollout.commands.ops.forwarding import Forward, listen, read_ports, remote_port
    from rollout.report.exit_codes import ExitCode

    *named, ports = words
    if len(named) > 1:
        raise typer.BadParameter(f"{' '.join(words)}: one Rollout, then [LOCAL:]REMOTE")
    asked = read_ports(ports)
    options: Globals = context.obj
    cluster = options.cluster()
    name = meant(named[0] if named else None, rollout)
    with _a_port_may_be_missing(words):
        looks = Looks(cluster, options.space(cluster), name, track, pod)
    looks.check()
    forward = Forward(
        cluster,
        looks.namespace,
        asked.remote,
        lambda before: pick(looks.members(), track, pod, before),
        _tell,
    )
    found = forward.pod()
    with _a_port_may_be_missing(words):
        remote = remote_port(found, asked.remote)
    with listen(address, remote if asked.local is None else asked.local) as at:
        _say_where(at, remote, found, options.output)
        with suppress(KeyboardInterrupt):
            forward.serve(at, threading.Event())
    raise typer.Exit(ExitCode.INTERRUPTED)


def _say_where(at: "socket", remote: int, pod: "Member", output: Output) -> None:
    """Say where a forwarded port is, and what it leads to."""
    from rollout.commands.ops.forwarding import place

    host, port = at.getsockname()[:2]
    if for_programs(output):
        say_for_programs({"address": host, "port": port, "pod": pod.name}, output)
        return
    leads = f"leads to port {remote} of {pod.side} pod {pod.name}"
    print(f"{place(host, port)} {leads}; Ctrl-C ends it", flush=True)


@contextmanager
def _a_port_may_be_missing(words: list[str]) -> Iterator[None]:
    """Say so where the only word may be meant as a Rollout, and is the name of no port."""
    from rollout.commands.refusal import UnclearError

    try:
        yield
    except UnclearError as error:
        word = words[0]
        if len(words) > 1 or ":" in word or word.isdecimal():
            raise
        raise UnclearError(
            f"port-forward {word}: if that is the Rollout, the port is missing, as in `rollout ops "
            f"port-forward {word} 8080`; as a port: {error}"
        ) from error


def _tell(said: str) -> None:
    sys.stderr.write(f"{said}\n")
    sys.stderr.flush()
