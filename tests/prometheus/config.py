"""What Prometheus scrapes: targets from a file, or pods as a cluster's own would find them.

Debian's build has no Kubernetes discovery, so pods are followed by us (`pods.py`) and written to
the file of targets with the labels that the usual relabeling gives them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from rollout.metrics.addresses import AddressMap
from rollout.metrics.provider import pod_address
from rollout.resources.writes import Object

INTERVAL: Final = "1s"


@dataclass(frozen=True)
class Target:
    """An address to scrape and the labels its series get."""

    address: str
    labels: dict[str, str] = field(default_factory=dict)


def write_targets(file: Path, targets: list[Target]) -> None:
    """Write a file of targets at once, so that no half of it is ever read."""
    entries = [{"targets": [one.address], "labels": one.labels} for one in targets]
    fresh = file.with_suffix(".new")
    fresh.write_text(yaml.safe_dump(entries))
    fresh.replace(file)


def from_file(targets: Path) -> dict[str, Any]:
    """Give a configuration that scrapes what a file of targets lists."""
    return _config(
        {
            "job_name": "pods",
            "file_sd_configs": [{"files": [str(targets)], "refresh_interval": INTERVAL}],
        }
    )


def pod_targets(pods: Iterable[Object], addresses: AddressMap) -> list[Target]:
    """Give the targets that a cluster's own Prometheus would find, by prometheus.io annotations."""
    found = ((pod["metadata"].get("namespace", ""), pod_address(pod)) for pod in pods)
    return [
        Target(
            f"{addresses.reach(pod.ip)}:{pod.port}",
            {"namespace": namespace, "pod": pod.name, "__metrics_path__": pod.path},
        )
        for namespace, pod in found
        if pod is not None and not pod.problem
    ]


def _config(job: dict[str, Any]) -> dict[str, Any]:
    job = {**job, "scrape_interval": INTERVAL, "scrape_timeout": INTERVAL}
    return {"global": {"evaluation_interval": INTERVAL}, "scrape_configs": [job]}
