"""`rollout sandbox up`: a practice cluster that stays until Ctrl-C."""

from pathlib import Path
from typing import Final

from rich.console import Console

from rollout.sandbox import shop
from rollout.sandbox.practice import Ports, PracticeCluster
from rollout.sandbox.signals import wait_for_stop

FOLDER: Final = Path.home() / ".cache" / "rollout" / "sandbox"


def up(folder: Path = FOLDER, ports: Ports | None = None) -> None:
    """Start it, say how to use it, and stop it on SIGINT or SIGTERM."""
    console = Console()
    with PracticeCluster(folder, ports, tell=lambda said: console.print(f"[dim]{said}[/]")) as it:
        it.apply(shop.objects())
        it.start_controller()
        console.print(
            f"""
The practice cluster is up, with a service [bold]web[/] of 4 pods at v1.0.0. In another terminal:

  export KUBECONFIG={it.kubeconfig}
  kubectl get deployments,pods,services,ingresses,rollouts
  curl -H 'Host: {shop.HOST}' {it.edge.url}
  rollout start v1.1.0 --watch             a good version
  rollout start v1.2.0-errors8 --watch     one that fails 8 % of its requests
  rollout explain

A release is judged by real requests: keep some coming, for example with

  python -m rollout.sandbox.load --url {it.edge.url} --host {shop.HOST} --rate 60 --seconds 600

The HTTP API is at {it.api_url()}: `rollout --server {it.api_url()} list`

Logs are in {it.folder}. Ctrl-C stops everything.""",
            highlight=False,
            soft_wrap=True,
        )
        wait_for_stop()
