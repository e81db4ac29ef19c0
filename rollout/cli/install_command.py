"""`rollout install`."""

import re
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rollout.cli.manifests import Extra
    from rollout.cli.options import Globals

LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
IMAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*")
NO_IMAGE: Final = (
    "note: without --image the Deployment asks for rollout-controller:latest, which nodes find "
    "only where you have loaded it yourself"
)
HELP = """Print everything that a cluster needs.

That is kinds, rights, admission policy and controller.

Examples:

\b
  rollout install --image registry.example.com/rollout:0.1.0 | kubectl apply -f -
  rollout install --watch-namespace shop | kubectl apply -f -
  rollout install --with network-policy,service-monitor | kubectl apply -f -
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("install", help=HELP)(install)


def install(
    context: typer.Context,
    namespace: str = typer.Option(
        None, "--namespace", "-n", help="Where the controller runs (default: rollout-system)"
    ),
    image: str = typer.Option(None, "--image", help="The controller's image, as nodes pull it"),
    watch_namespace: str = typer.Option(
        None, "--watch-namespace", help="Work in this namespace alone, and have rights only there"
    ),
    extras: list[str] = typer.Option(
        [], "--with", help="Also network-policy, or service-monitor (Prometheus Operator)"
    ),
) -> None:
    """Print the objects."""
    options: Globals = context.obj
    namespace = namespace or options.namespace or "rollout-system"
    _check("--namespace", namespace, LABEL, "the name of a namespace, such as rollout-system")
    _check("--image", image, IMAGE, "an image, such as registry.example.com/rollout:0.1.0")
    _check("--watch-namespace", watch_namespace, LABEL, "the name of a namespace, such as shop")
    from rollout.cli.manifests import objects
    from rollout.resources.crd import as_yaml

    chosen = list(_extras(extras))
    if image is None:
        typer.echo(NO_IMAGE, err=True)
    for body in objects(namespace, image, watch_namespace, chosen):
        print(f"---\n{as_yaml(body)}", end="")


def _extras(said: list[str]) -> "Iterator[Extra]":
    """Read `--with`: given again and again, or with commas."""
    from rollout.cli.manifests import Extra

    known = {str(extra): extra for extra in Extra}
    for name in (name for names in said for name in names.split(",")):
        if name not in known:
            raise typer.BadParameter(f"--with: {name!r} is not one of {', '.join(known)}")
        yield known[name]


def _check(option: str, value: str | None, pattern: re.Pattern[str], wanted: str) -> None:
    if value is not None and not pattern.fullmatch(value):
        raise typer.BadParameter(f"{option}: {value!r} is not {wanted}")
