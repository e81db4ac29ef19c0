"""Commands about the installation: crds, controller, sandbox, demo, version."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from rollout.cli.options import Globals, shared

if TYPE_CHECKING:
    from rollout.server.settings import ApiSettings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("crds", help=CRDS)(crds)
    app.command("controller", help=CONTROLLER)(shared(controller))
    app.command("demo", help=DEMO)(demo)
    app.command("version", help=VERSION)(version)
    sandbox = typer.Typer(
        help="A practice cluster on this machine.", no_args_is_help=True, rich_markup_mode=None
    )
    sandbox.command("up", help=SANDBOX_UP)(sandbox_up)
    app.add_typer(sandbox, name="sandbox")


CRDS = """Print the CustomResourceDefinitions.

Examples:

\b
  rollout crds | kubectl apply -f -
  rollout crds --write manifests/crds
"""
CONTROLLER = """Run the controller until SIGTERM.

Examples:

\b
  rollout controller
  rollout controller --namespace shop --http-port 8081
  rollout controller --api-port 8080
"""
DEMO = """Ship a good and a bad version on a practice cluster.

It takes less than two minutes.

Example:

\b
  rollout demo
"""
VERSION = """Print the version.

Example:

\b
  rollout version
"""
SANDBOX_UP = """Start a practice cluster and leave it running until Ctrl-C.

Example:

\b
  rollout sandbox up
"""


def crds(
    write: Path = typer.Option(None, "--write", help="Write a file per kind into this folder"),
) -> None:
    """Print the CRDs."""
    from rollout.resources.crd import files

    for name, text in files().items():
        if write is None:
            print(f"---\n{text}", end="")
        else:
            _write(write, name, text)


def _write(folder: Path, name: str, text: str) -> None:
    try:
        (folder / name).write_text(text)
    except OSError as error:
        said = error.strerror or type(error).__name__
        raise ValueError(f"--write {folder}: {said}: name a folder that can be written") from error


def controller(  # noqa: PLR0917 - options, each by its name
    context: typer.Context,
    http_port: int = typer.Option(
        0, "--http-port", min=0, max=65535, help="Probes and metrics; 0: any free port"
    ),
    bind: str = typer.Option("127.0.0.1", "--bind", help="Address of probes and metrics"),
    api_port: int = typer.Option(
        None,
        "--api-port",
        min=0,
        max=65535,
        help="Serve the HTTP API here; 0: any free port; left out: nowhere",
    ),
    api_bind: str = typer.Option("127.0.0.1", "--api-bind", help="Address of the HTTP API"),
    api_tls_cert: Path = typer.Option(None, "--api-tls-cert", help="Its certificate chain, PEM"),
    api_tls_key: Path = typer.Option(None, "--api-tls-key", help="The certificate's key, PEM"),
    api_audience: str = typer.Option(
        None, "--api-audience", help="Take only tokens made for this audience"
    ),
    lease_namespace: str = typer.Option(None, "--lease-namespace", help="Where the Lease is"),
    lease_name: str = typer.Option("rollout-controller", "--lease-name", help="Its name"),
    lease_seconds: float = typer.Option(15.0, "--lease-seconds", help="How long it holds"),
    workers: int = typer.Option(4, "--workers", min=1, max=64, help="Passes at the same time"),
    pod_address_map: str = typer.Option(
        "",
        "--pod-address-map",
        envvar="ROLLOUT_POD_ADDRESS_MAP",
        help="Where pods are reached, when not at their own address (practice cluster)",
    ),
    credentials_folder: Path | None = typer.Option(
        None,
        "--credentials-folder",
        envvar="ROLLOUT_CREDENTIALS_FOLDER",
        help="The only folder of which policies may name files (bearerTokenFile, caFile)",
    ),
    log_level: str = typer.Option("info", "--log-level", help="debug, info, warning or error"),
    log_format: str = typer.Option(
        "auto", "--log-format", help="json, console, or auto (json unless on a terminal)"
    ),
) -> None:
    """Run the controller."""
    from rollout.controller.logs import set_up
    from rollout.daemon import Settings, run
    from rollout.kube.lease import Durations
    from rollout.metrics.addresses import AddressMap

    options: Globals = context.obj
    set_up(log_level, json={"json": True, "console": False}.get(log_format))
    cluster = options.cluster(busy_seconds=0)  # its queue knows when to come back
    settings = Settings(
        namespace=options.namespace,
        lease_namespace=lease_namespace or options.namespace or cluster.namespace,
        lease_name=lease_name,
        durations=Durations(lease_seconds, lease_seconds * 2 / 3, lease_seconds * 2 / 15),
        bind=bind,
        port=http_port,
        workers=workers,
        addresses=AddressMap.parse(pod_address_map) if pod_address_map else AddressMap.identity(),
        api=_api(api_port, api_bind, api_tls_cert, api_tls_key, api_audience),
        credentials=credentials_folder,
    )
    raise typer.Exit(run(cluster, settings))


def _api(
    port: int | None, bind: str, cert: Path | None, key: Path | None, audience: str | None
) -> "ApiSettings | None":
    if (cert is None) != (key is None):
        raise typer.BadParameter("give --api-tls-cert and --api-tls-key, both or none")
    if port is None:
        if cert is not None:
            raise typer.BadParameter("--api-tls-cert without --api-port: there is no API to secure")
        if audience is not None:
            raise typer.BadParameter("--api-audience without --api-port: there is no API to secure")
        return None
    from rollout.server.settings import ApiSettings

    return ApiSettings(bind, port, cert, key, audience or "")


def sandbox_up(
    rate: float = typer.Option(
        60.0, "--rate", min=0, max=500, help="Requests a second that come for the first hour"
    ),
) -> None:
    """Start a practice cluster."""
    try:
        from rollout.sandbox.up import up
    except ModuleNotFoundError as error:
        raise typer.BadParameter(_no_sandbox(error)) from error
    up(rate=rate)


def demo(
    picture: Path = typer.Option(None, "--picture", help="Write what is shown to an SVG file"),
) -> None:
    """Show a good release and a bad one."""
    try:
        from rollout.cli.demo import demo
    except ModuleNotFoundError as error:
        raise typer.BadParameter(_no_sandbox(error)) from error
    raise typer.Exit(demo(picture))


def _no_sandbox(error: ModuleNotFoundError) -> str:
    return f"{error.name} is missing: install the practice cluster with `pip install '.[sandbox]'`"


def version() -> None:
    """Print the version."""
    from rollout import __version__

    print(__version__)
