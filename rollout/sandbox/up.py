"""`rollout sandbox up`: a practice cluster that stays until Ctrl-C."""

import fcntl
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Final

from rich.console import Console

from rollout.commands.refusal import CommandRefusedError
from rollout.sandbox import example
from rollout.sandbox.load import Load, Plan
from rollout.sandbox.practice import ADDRESSES, Ports, PracticeCluster
from rollout.sandbox.service.dials import FORMS
from rollout.sandbox.signals import wait_for_stop

FOLDER: Final = Path.home() / ".cache" / "rollout" / "sandbox"
RATE: Final = 60.0
LOADED_SECONDS: Final = 3600.0


def up(folder: Path = FOLDER, ports: Ports | None = None, rate: float = RATE) -> None:
    """Start it, say how to use it, and stop it on SIGINT or SIGTERM.

    `rate` is how many requests a second come for the first hour; 0: none. Raises
    CommandRefusedError when one runs there already.
    """
    console = Console()
    with (
        _alone(folder),
        PracticeCluster(folder, ports, tell=lambda said: console.print(f"[dim]{said}[/]")) as it,
    ):
        it.apply(example.objects())
        it.start_controller()
        with _load(it, rate):
            console.print(_how_to(it, rate), highlight=False, soft_wrap=True)
            wait_for_stop()
        it.kubeconfig.unlink(missing_ok=True)  # it would lead nowhere


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a folder: a second cluster there would take the first one's kubeconfig away."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandRefusedError(
                f"a practice cluster runs already ({folder / 'kubeconfig'}): use it, or end it "
                "with Ctrl-C in its terminal"
            ) from error
        yield


def _load(practice: PracticeCluster, rate: float) -> AbstractContextManager[object]:
    if rate <= 0:
        return nullcontext()
    return Load(Plan(practice.edge.url, host=example.HOST, rate=rate, seconds=LOADED_SECONDS))


def _how_to(practice: PracticeCluster, rate: float) -> str:
    dials = "\n".join(f"  {name:<11} {form}" for name, form in FORMS.items())
    come = f"{rate:g} requests a second come for an hour" if rate > 0 else "No requests come"
    return f"""
The practice cluster is up, with a service [bold]{example.NAME}[/] of 4 pods at v1.0.0.
{come}: a release is judged by real requests. In another terminal:

  export PATH={Path(sys.executable).parent}:$PATH KUBECONFIG={practice.kubeconfig}
  export ROLLOUT_POD_ADDRESS_MAP={ADDRESSES}   # for `rollout doctor`: where its pods are
  rollout start v1.1.0 --watch             a good version
  rollout start v1.2.0-errors8 --watch     one that fails 8 % of its requests
  rollout explain
  rollout ops logs --follow                what both versions say
  kubectl get deployments,pods,services,ingresses,rollouts
  curl -H 'Host: {example.HOST}' {practice.edge.url}

What a version does wrong is said by its tag:

{dials}

The HTTP API is at {practice.api_url()}: `rollout --server {practice.api_url()} list`, or

  TOKEN=$(kubectl config view --raw -o jsonpath='{{.users[0].user.token}}')
  curl -H "Authorization: Bearer $TOKEN" {practice.api_url()}/api/v1/namespaces/default/releases

Logs are in {practice.folder}. Ctrl-C stops everything."""
