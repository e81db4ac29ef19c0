"""The Node object of the practice cluster."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from rollout.kube.cluster import Cluster
from rollout.kube.errors import AlreadyExists
from rollout.resources.writes import Create, Kind, Patch, PatchType
from rollout.sandbox.agent.status import timestamp

ADDRESS: Final = "10.244.255.254"
"""Host address of all practice pods: nothing listens there, and nobody may connect to it."""

_FALSE: Final = {
    "MemoryPressure": "KubeletHasSufficientMemory",
    "DiskPressure": "KubeletHasNoDiskPressure",
    "PIDPressure": "KubeletHasSufficientPID",
}


@dataclass(frozen=True)
class Endpoint:
    """Where the node itself is asked for logs, and what it declares."""

    host: str
    port: int
    features: tuple[str, ...]


def register(cluster: Cluster, name: str, block: str, max_pods: int, endpoint: Endpoint) -> None:
    """Create the Node, or take over one of that name, and say that it is ready.

    Raises ClusterError.
    """
    body = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {"podCIDR": block, "podCIDRs": [block]},
    }
    with suppress(AlreadyExists):
        cluster.apply(Create(Kind.NODE, "", body))
    status = {"status": _status(max_pods, endpoint)}
    cluster.apply(Patch(Kind.NODE, "", name, PatchType.MERGE, status, "status"))


def _status(max_pods: int, endpoint: Endpoint) -> Mapping[str, Any]:
    room = {"cpu": "64", "memory": "256Gi", "pods": str(max_pods)}
    now = timestamp(datetime.now(UTC))
    times = {"lastHeartbeatTime": now, "lastTransitionTime": now}
    return {
        "capacity": room,
        "allocatable": room,
        "addresses": [
            {"type": "InternalIP", "address": endpoint.host},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": endpoint.port}},
        "declaredFeatures": list(endpoint.features),
        "conditions": [
            *({"type": t, "status": "False", "reason": r, **times} for t, r in _FALSE.items()),
            {"type": "Ready", "status": "True", "reason": "KubeletReady", **times},
        ],
    }
