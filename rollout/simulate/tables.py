"""Rows and columns of `kubectl get`: the server draws the table, kubectl only prints it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from rollout.resources.objects import is_terminating, name_of
from rollout.resources.writes import Object
from rollout.simulate import jsonpath
from rollout.simulate.objects import EMPTY, Json, condition_of, dig, parse_time

Cell: TypeAlias = Callable[[Object, datetime], Any]

NONE: Final = "<none>"
LISTED_ENDPOINTS: Final = 3


@dataclass(frozen=True)
class Column:
    """A column: its head, its type, and where its value comes from. Wide ones need `-o wide`."""

    name: str
    cell: Cell
    type: str = "string"
    wide: bool = False
    description: str = ""
    format: str = ""

    def definition(self) -> Json:
        """The column as the Table object describes it."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": 1 if self.wide else 0,
        }


def table(
    columns: Sequence[Column],
    objects: Iterable[Object],
    now: datetime,
    *,
    include: str = "Metadata",
) -> Json:
    """Objects as a Table; `include` says how much of each object its row carries."""
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {},
        "columnDefinitions": [column.definition() for column in columns],
        "rows": [
            {"cells": [column.cell(obj, now) for column in columns], **_row_object(obj, include)}
            for obj in objects
        ],
    }


def _row_object(obj: Object, include: str) -> Json:
    if include == "None":
        return {}
    if include == "Object":
        return {"object": obj}
    partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
    return {"object": {**partial, "metadata": obj["metadata"]}}


def human(age: timedelta) -> str:
    """A duration as kubectl writes ages: `45s`, `3m5s`, `25h`, `2d`."""
    seconds = int(age.total_seconds())
    if seconds < 0:
        return "0s" if seconds >= -1 else "<invalid>"
    for limit, shown in _AGES:
        if seconds < limit:
            return shown(seconds)
    return f"{seconds // _DAY // 365}y"


_DAY: Final = 86400


def _parts(large: int, large_unit: str, small: int, small_unit: str) -> Callable[[int], str]:
    def shown(seconds: int) -> str:
        rest = seconds % large // small
        return f"{seconds // large}{large_unit}" + (f"{rest}{small_unit}" if rest else "")

    return shown


_AGES: Final[Sequence[tuple[int, Callable[[int], str]]]] = (
    (120, lambda seconds: f"{seconds}s"),
    (600, _parts(60, "m", 1, "s")),
    (10800, lambda seconds: f"{seconds // 60}m"),
    (28800, _parts(3600, "h", 60, "m")),
    (2 * _DAY, lambda seconds: f"{seconds // 3600}h"),
    (8 * _DAY, _parts(_DAY, "d", 3600, "h")),
    (2 * 365 * _DAY, lambda seconds: f"{seconds // _DAY}d"),
    (8 * 365 * _DAY, _parts(365 * _DAY, "y", _DAY, "d")),
)


def since(text: str | None, now: datetime) -> str:
    """How long ago a timestamp was, or `<unknown>`."""
    return human(now - parse_time(text)) if text else "<unknown>"


def _at(*path: str, missing: Any = "") -> Cell:
    def cell(obj: Object, now: datetime) -> Any:
        del now
        value = dig(obj, *path)
        return missing if value is None else value

    return cell


def _of(function: Callable[[Object], Any]) -> Cell:
    return lambda obj, now: function(obj)  # noqa: ARG005 - cells get the time


def _age(obj: Object, now: datetime) -> str:
    return since(obj["metadata"].get("creationTimestamp"), now)


def custom_columns(given: Iterable[Mapping[str, Any]]) -> tuple[Column, ...]:
    """Columns of a custom kind: its name, and what its definition adds (or its age)."""
    added = tuple(_custom(column) for column in given)
    return (NAME, *(added or (AGE,)))


def _custom(column: Mapping[str, Any]) -> Column:
    path, kind = column["jsonPath"], column["type"]

    def cell(obj: Object, now: datetime) -> Any:
        found = jsonpath.find(obj, path)
        if not found or found[0] is None:
            return None
        return since(found[0], now) if kind == "date" else found[0]

    return Column(
        column["name"],
        cell,
        kind,
        wide=bool(column.get("priority")),
        description=column.get(
            "description", f"Custom resource definition column (in JSONPath format): {path}"
        ),
        format=column.get("format", ""),
    )


def _pod_ready(pod: Object) -> str:
    statuses = dig(pod, "status", "containerStatuses") or ()
    ready = sum(bool(each.get("ready")) for each in statuses)
    return f"{ready}/{len(pod['spec']['containers'])}"


def _pod_status(pod: Object) -> str:
    status = pod.get("status") or EMPTY
    if is_terminating(pod):
        return "Terminating"
    for each in status.get("containerStatuses") or ():
        state = each.get("state") or EMPTY
        for kind in ("waiting", "terminated"):
            if (state.get(kind) or EMPTY).get("reason"):
                return str(state[kind]["reason"])
    return str(status.get("reason") or status.get("phase", ""))


def _restarts(pod: Object) -> str:
    statuses = dig(pod, "status", "containerStatuses") or ()
    return str(sum(each.get("restartCount", 0) for each in statuses))


def _containers(field: str) -> Cell:
    def cell(obj: Object, now: datetime) -> str:
        del now
        return ",".join(each[field] for each in obj["spec"]["template"]["spec"]["containers"])

    return cell


def _pod_selector(obj: Object) -> str:
    return _labels(dig(obj, "spec", "podSelector") or EMPTY)


def _selector(obj: Object) -> str:
    return _labels(dig(obj, "spec", "selector") or EMPTY)


def _labels(selector: Object) -> str:
    plain = selector.get("matchLabels", selector)
    return ",".join(f"{key}={value}" for key, value in sorted(plain.items())) or NONE


def _deployment_ready(obj: Object) -> str:
    return f"{obj['status'].get('readyReplicas', 0)}/{obj['spec']['replicas']}"


def _external_address(service: Object) -> str:
    kind = service["spec"]["type"]
    if kind == "ExternalName":
        return str(service["spec"].get("externalName", NONE))
    return "<pending>" if kind == "LoadBalancer" else NONE


def _service_ports(service: Object) -> str:
    return ",".join(_service_port(port) for port in service["spec"].get("ports") or ()) or NONE


def _service_port(port: Object) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{node}/{port['protocol']}"


def _hosts(ingress: Object) -> str:
    rules = dig(ingress, "spec", "rules") or ()
    return ",".join(rule["host"] for rule in rules if rule.get("host")) or "*"


def _slice_ports(obj: Object) -> str:
    return ",".join(str(port.get("port")) for port in obj.get("ports") or ()) or "<unset>"


def _slice_endpoints(obj: Object) -> str:
    found = [address for each in obj.get("endpoints") or () for address in each["addresses"]]
    more = len(found) - LISTED_ENDPOINTS
    listed = ",".join(found[:LISTED_ENDPOINTS])
    return f"{listed} + {more} more..." if more > 0 else listed or "<unset>"


def _node_status(node: Object) -> str:
    ready = condition_of(node, "Ready")
    if ready is None:
        return "Unknown"
    return "Ready" if ready["status"] == "True" else "NotReady"


def _event_last(event: Object, now: datetime) -> str:
    return since(event.get("lastTimestamp") or event.get("eventTime"), now)


def _event_first(event: Object, now: datetime) -> str:
    return since(event.get("firstTimestamp") or event.get("eventTime"), now)


def _event_target(event: Object) -> str:
    about = event.get("involvedObject") or EMPTY
    return f"{about.get('kind', '').lower()}/{about.get('name', '')}"


def _budget(field: str) -> Cell:
    return _at("spec", field, missing="N/A")


def _count(*path: str) -> Cell:
    return _of(lambda obj: len(dig(obj, *path) or ()))


NAME: Final = Column("Name", _of(name_of), format="name")
AGE: Final = Column("Age", _age)
_CREATED: Final = Column("Created At", _at("metadata", "creationTimestamp"), "date")
_WORKLOAD: Final = (
    Column("Containers", _containers("name"), wide=True),
    Column("Images", _containers("image"), wide=True),
    Column("Selector", _of(_selector), wide=True),
)

COLUMNS: Final[Mapping[str, Sequence[Column]]] = {
    "namespaces": (NAME, Column("Status", _at("status", "phase")), AGE),
    "nodes": (
        NAME,
        Column("Status", _of(_node_status)),
        Column("Roles", _of(lambda _: NONE)),
        AGE,
        Column("Version", _at("status", "nodeInfo", "kubeletVersion")),
    ),
    "pods": (
        NAME,
        Column("Ready", _of(_pod_ready)),
        Column("Status", _of(_pod_status)),
        Column("Restarts", _of(_restarts)),
        AGE,
        Column("IP", _at("status", "podIP", missing=NONE), wide=True),
        Column("Node", _at("spec", "nodeName", missing=NONE), wide=True),
        Column("Nominated Node", _of(lambda _: NONE), wide=True),
        Column("Readiness Gates", _of(lambda _: NONE), wide=True),
    ),
    "services": (
        NAME,
        Column("Type", _at("spec", "type")),
        Column("Cluster-IP", _at("spec", "clusterIP", missing=NONE)),
        Column("External-IP", _of(_external_address)),
        Column("Port(s)", _of(_service_ports)),
        AGE,
        Column("Selector", _of(_selector), wide=True),
    ),
    "configmaps": (NAME, Column("Data", _count("data")), AGE),
    "secrets": (
        NAME,
        Column("Type", _at("type")),
        Column("Data", _count("data")),
        AGE,
    ),
    "deployments.apps": (
        NAME,
        Column("Ready", _of(_deployment_ready)),
        Column("Up-to-date", _at("status", "updatedReplicas", missing=0)),
        Column("Available", _at("status", "availableReplicas", missing=0)),
        AGE,
        *_WORKLOAD,
    ),
    "replicasets.apps": (
        NAME,
        Column("Desired", _at("spec", "replicas"), "integer"),
        Column("Current", _at("status", "replicas", missing=0), "integer"),
        Column("Ready", _at("status", "readyReplicas", missing=0), "integer"),
        AGE,
        *_WORKLOAD,
    ),
    "endpointslices.discovery.k8s.io": (
        NAME,
        Column("AddressType", _at("addressType")),
        Column("Ports", _of(_slice_ports)),
        Column("Endpoints", _of(_slice_endpoints)),
        AGE,
    ),
    "ingresses.networking.k8s.io": (
        NAME,
        Column("Class", _at("spec", "ingressClassName", missing=NONE)),
        Column("Hosts", _of(_hosts)),
        Column("Address", _of(lambda _: "")),
        Column("Ports", _of(lambda obj: "80, 443" if dig(obj, "spec", "tls") else "80")),
        AGE,
    ),
    "ingressclasses.networking.k8s.io": (
        NAME,
        Column("Controller", _at("spec", "controller")),
        Column("Parameters", _of(lambda _: NONE)),
        AGE,
    ),
    "networkpolicies.networking.k8s.io": (NAME, Column("Pod-Selector", _of(_pod_selector)), AGE),
    "leases.coordination.k8s.io": (NAME, Column("Holder", _at("spec", "holderIdentity")), AGE),
    "poddisruptionbudgets.policy": (
        NAME,
        Column("Min Available", _budget("minAvailable")),
        Column("Max Unavailable", _budget("maxUnavailable")),
        Column("Allowed Disruptions", _at("status", "disruptionsAllowed", missing=0), "integer"),
        AGE,
    ),
    "events": (
        Column("Last Seen", _event_last),
        Column("Type", _at("type")),
        Column("Reason", _at("reason")),
        Column("Object", _of(_event_target)),
        Column("Subobject", _at("involvedObject", "fieldPath"), wide=True),
        Column("Source", _at("source", "component"), wide=True),
        Column("Message", _at("message")),
        Column("First Seen", _event_first, wide=True),
        Column("Count", _at("count", missing=1), wide=True),
        Column("Name", _of(name_of), wide=True, format="name"),
    ),
    "customresourcedefinitions.apiextensions.k8s.io": (NAME, _CREATED),
}
"""Columns of built-in kinds. A kind without an entry shows name and age."""

PLAIN: Final = (NAME, AGE)
