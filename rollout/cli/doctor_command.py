"""`rollout doctor`."""

import typer

from rollout.cli import completion
from rollout.cli.options import Globals, dump, for_programs, shared


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor", help=DOCTOR)(shared(doctor))


DOCTOR = """Look for what would keep releases from going well.

What is found is said with how to mend it.

Exits with 1 if there is a problem; warnings alone are no problem.

Examples:

\b
  rollout doctor
  rollout doctor checkout -n shop -o json
  rollout doctor --as-controller
"""


def doctor(  # noqa: PLR0917 - options, each by its name
    context: typer.Context,
    rollout: str = typer.Argument(
        None, help="Rollout or its Deployment (default: all)", autocompletion=completion.rollouts
    ),
    as_controller: bool = typer.Option(
        False, "--as-controller", help="Also ask what the controller's account may do"
    ),
    account: str = typer.Option(
        "rollout-system:rollout-controller",
        "--controller-account",
        help="The controller's service account, NAMESPACE:NAME; its Lease is there too",
    ),
    lease_name: str = typer.Option("rollout-controller", "--lease-name", help="Its Lease"),
    pod_address_map: str = typer.Option(
        "",
        "--pod-address-map",
        envvar="ROLLOUT_POD_ADDRESS_MAP",
        help="Where pods are reached, when not at their own address (practice cluster)",
    ),
) -> None:
    """Look for trouble."""
    from datetime import UTC, datetime

    from rollout.commands.doctor.examine import Visit, examine
    from rollout.commands.doctor.finding import Level
    from rollout.controller.secrets import PERSON, secrets_of
    from rollout.metrics.addresses import AddressMap
    from rollout.metrics.credentials import Keys

    if account.count(":") != 1:
        raise typer.BadParameter(f"--controller-account {account!r}: write NAMESPACE:NAME")
    options: Globals = context.obj
    cluster = options.cluster()
    visit = Visit(
        options.space(cluster),
        rollout,
        as_controller,
        account,
        lease_name,
        Keys(secrets_of(cluster, PERSON)),
        AddressMap.parse(pod_address_map),
    )
    findings = list(examine(cluster, visit, datetime.now(UTC)))
    if for_programs(options.output):
        dump([{**vars(one), "level": str(one.level)} for one in findings], options.output)
    else:
        for one in findings:
            print(f"{one.level!s:<8} {one.check}: {one.message}")
            if one.mend:
                print(f"{'':<8} mend: {one.mend}")
    raise typer.Exit(1 if any(one.level is Level.PROBLEM for one in findings) else 0)
