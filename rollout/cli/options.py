"""Options that every command shares, and the door to the cluster behind them."""

import functools
import getpass
import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self

import typer

from rollout.cli import completion

if TYPE_CHECKING:
    from rollout.cli.door import Door
    from rollout.cli.http_door import HttpDoor
    from rollout.kube.client import HttpCluster


BUSY_SECONDS: Final = 10.0
"""How long a person's command waits for an API server that says it is busy (429)."""


class Output(StrEnum):
    """How results are printed."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


@dataclass(frozen=True)
class Globals:
    """What was said before the command."""

    namespace: str | None
    kube_context: str | None
    kubeconfig: str | None
    output: Output
    server: str | None = None
    token: str | None = field(default=None, repr=False)
    server_ca: str | None = None
    insecure_http: bool | None = None

    def with_(self, said: Mapping[str, Any]) -> Self:
        """Return the same, with what was said after the command."""
        return replace(self, **{key: value for key, value in said.items() if value is not None})

    def cluster(self, busy_seconds: float = BUSY_SECONDS) -> "HttpCluster":
        """Reach the cluster, for a command that needs it itself."""
        if self.server is not None:
            raise typer.BadParameter(
                "this command speaks to the cluster itself: leave --server (ROLLOUT_SERVER) out"
            )
        from rollout.kube.client import connect

        return connect(
            kubeconfig=self.kubeconfig, context=self.kube_context, busy_seconds=busy_seconds
        )

    def door(self) -> "Door":
        """Open the door that was asked for: the HTTP API, or the cluster itself."""
        if self.server is None:
            from rollout.cli.cluster_door import ClusterDoor

            return ClusterDoor(self.cluster())
        return self.http_door(self.server)

    def http_door(self, server: str) -> "HttpDoor":
        """Open the door to a rollout server."""
        from rollout.cli.http_door import HttpDoor
        from rollout.cli.http_wire import Wire, checked
        from rollout.kube.credentials import bearer_token

        checked(server, insecure=bool(self.insecure_http))  # before a token for it is looked for
        token, namespace = bearer_token(self.kubeconfig, self.kube_context, self.token)
        wire = Wire(server, token, self.server_ca, insecure=bool(self.insecure_http))
        return HttpDoor(wire, namespace)

    def space(self, door: "HttpCluster | Door") -> str:
        """Say which namespace is meant."""
        return self.namespace or door.namespace


RELEASE = typer.Argument(
    None,
    help="Release or Rollout; may be left out when there is one",
    autocompletion=completion.releases,
)
ROLLOUT = typer.Argument(
    None,
    metavar="ROLLOUT",
    help="Rollout or its Deployment; may be left out when there is one",
    autocompletion=completion.rollouts,
)
REASON = typer.Option("", "--reason", help="Why; it is kept with the release")
WATCH = typer.Option(False, "--watch", "-w", help="Follow it to its end")
TIMEOUT = typer.Option(3600.0, "--timeout", min=0, help="Longest time to watch, in seconds")
NAMESPACE = typer.Option(None, "--namespace", "-n", help="Namespace (default: context's)")
KUBE_CONTEXT = typer.Option(None, "--context", help="Context of the kubeconfig")
KUBECONFIG = typer.Option(None, "--kubeconfig", help="Path of the kubeconfig")
OUTPUT = typer.Option(None, "--output", "-o", help="How to print")
_SERVER: Final = ("--server", "URL of a rollout server, to go through its HTTP API")
_TOKEN: Final = ("--token", "Bearer token for --server (default: the kubeconfig's)")
_SERVER_CA: Final = ("--server-ca", "Certificates that vouch for --server, PEM")
_INSECURE: Final = ("--insecure-http", "Send the token to --server also where others can read it")


def _option(said: tuple[str, str], envvar: str | None = None) -> Any:
    name, text = said
    return typer.Option(None, name, envvar=envvar, help=text)


SERVER = _option(_SERVER, "ROLLOUT_SERVER")
TOKEN = _option(_TOKEN, "ROLLOUT_TOKEN")
SERVER_CA = _option(_SERVER_CA, "ROLLOUT_SERVER_CA")
INSECURE_HTTP = _option(_INSECURE, "ROLLOUT_INSECURE_HTTP")
SHARED: Final[dict[str, tuple[Any, Any]]] = {
    "namespace": (str, NAMESPACE),
    "kube_context": (str, KUBE_CONTEXT),
    "kubeconfig": (str, KUBECONFIG),
    "output": (Output, OUTPUT),
    "server": (str, _option(_SERVER)),
    "token": (str, _option(_TOKEN)),
    "server_ca": (str, _option(_SERVER_CA)),
    "insecure_http": (bool, _option(_INSECURE)),
}
"""Only what stands before the command is taken from the environment: it must not win over it."""


def shared(command: Callable[..., None]) -> Callable[..., None]:
    """Have a command take the options of all commands after its name too, as people write them.

    Typer reads the signature: the options are added to it, and taken out again before the call.
    """
    own = inspect.signature(command)
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=type_)
        for name, (type_, option) in SHARED.items()
    ]

    @functools.wraps(command)
    def call(context: typer.Context, **given: Any) -> None:
        said = {name: given.pop(name) for name in SHARED}
        context.obj = context.obj.with_(said)
        command(context, **given)

    call.__signature__ = own.replace(  # type: ignore[attr-defined]
        parameters=[*own.parameters.values(), *added]
    )
    return call


def user(cluster: "HttpCluster") -> str:
    """Say who is asking: the cluster's user, else whoever this machine knows.

    An action under another name than the cluster's is refused by the admission policy of
    `rollout install`. Raises ClusterError for the cluster.
    """
    from rollout.kube.errors import Forbidden, NotFound
    from rollout.kube.reviews import who_am_i

    try:
        return who_am_i(cluster).name
    except (NotFound, Forbidden):  # older than Kubernetes 1.28, or it keeps that to itself
        return _local_user()


def _local_user() -> str:
    try:
        return os.environ.get("ROLLOUT_USER") or getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def dump(value: Any, output: Output) -> None:
    """Print a value for programs."""
    if output is Output.JSON:
        import json

        print(json.dumps(value, indent=2, default=str))
    else:
        import yaml

        print(yaml.safe_dump(value, sort_keys=False), end="")


def for_programs(output: Output) -> bool:
    """Whether a program reads what is printed."""
    return output in {Output.JSON, Output.YAML}
