"""The node's part in a case, because neither server has nodes of its own.

`ready` binds pods to the case's node and reports them running and ready, `unready` reports them
running only, `delete` asks for their deletion as a user would, `gone` reports that deleted pods
have stopped.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

Json: TypeAlias = Any


@dataclass(frozen=True)
class Call:
    """One request of the node."""

    verb: str
    address: str
    body: Json = None
    content_type: str = "application/json"


def addresses() -> Iterator[str]:
    """Addresses for pods, none twice."""
    return (f"10.244.{a}.{b}" for a in range(256) for b in range(1, 255))


def calls(action: str, pod: Json, node: str, free: Iterator[str]) -> Iterator[Call]:
    """What the node sends for one pod; a pod without an address gets the next free one.

    Raises:
        ValueError: there is no such action.

    """
    metadata = pod["metadata"]
    address = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
    match action:
        case "delete":
            yield Call("DELETE", address)
        case "gone":
            yield Call("DELETE", f"{address}?gracePeriodSeconds=0")
        case "ready" | "unready":
            if not pod["spec"].get("nodeName"):
                yield Call("POST", f"{address}/binding", _binding(metadata["name"], node))
            ip = pod["status"].get("podIP") or next(free)
            status = _pod_status(pod, ip, node, ready=action == "ready")
            patch_type = "application/strategic-merge-patch+json"
            yield Call("PATCH", f"{address}/status", {"status": status}, patch_type)
        case _:
            raise ValueError(f"no action {action!r} of a kubelet: ready, unready, delete, gone")


def needs(action: str, pod: Json) -> bool:
    """Whether an action is still to be done for a pod."""
    deleted = "deletionTimestamp" in pod["metadata"]
    conditions = pod["status"].get("conditions", ())
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    match action:
        case "gone":
            return deleted
        case "ready":
            return not deleted and not ready
        case _:
            return not deleted and ready


def _pod_status(pod: Json, ip: str, node: str, *, ready: bool) -> Json:
    """What a kubelet reports of a pod whose containers run."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    value = str(ready)
    return {
        "phase": "Running",
        "hostIP": "192.0.2.1",
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "startTime": now,
        "conditions": [
            {"type": name, "status": status, "lastTransitionTime": now}
            for name, status in (
                ("Initialized", "True"),
                ("Ready", value),
                ("ContainersReady", value),
            )
        ],
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": f"{node}/{container['image']}",
                "ready": ready,
                "started": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": now}},
            }
            for container in pod["spec"]["containers"]
        ],
    }


def _binding(name: str, node: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": name},
        "target": {"kind": "Node", "name": node},
    }
