"""The EndpointSlice loop: for each Service, the addresses of its pods and whether they serve."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from rollout.resources.objects import is_terminating, labels_of, name_of, namespace_of, uid_of
from rollout.resources.writes import Object
from rollout.simulate.controllers.base import Hands, Key
from rollout.simulate.objects import Json, controller_reference, dig, is_ready
from rollout.simulate.selectors import matches_map
from rollout.simulate.store import Change

SLICES: Final = "endpointslices.discovery.k8s.io"
SERVICES: Final = "services"
PODS: Final = "pods"
SERVICE_NAME: Final = "kubernetes.io/service-name"
MANAGED_BY: Final = "endpointslice.kubernetes.io/managed-by"
MANAGER: Final = "endpointslice-controller.k8s.io"
HEADLESS: Final = "service.kubernetes.io/headless"
ZONE: Final = "topology.kubernetes.io/zone"
LARGEST_SLICE: Final = 100
_RESERVED: Final = (SERVICE_NAME, MANAGED_BY, HEADLESS)


class EndpointSliceController:
    """Keeps the slices of each Service that has a selector."""

    def keys(self, change: Change, hands: Hands) -> Iterable[Key]:
        """A Service itself, the Service of a slice, or those that select a pod."""
        if change.resource == SERVICES:
            yield change.namespace, change.name
        elif change.resource == SLICES:
            service = labels_of(change.object).get(SERVICE_NAME)
            if service:
                yield change.namespace, service
        elif change.resource == PODS:
            yield from _selecting(change, hands)

    def reconcile(self, key: Key, hands: Hands) -> datetime | None:
        """Write the slices that the Service should have."""
        service = hands.get(SERVICES, *key)
        if service is None or is_terminating(service) or not dig(service, "spec", "selector"):
            return None
        wanted = _wanted(service, hands)
        existing = [
            obj
            for obj in hands.dependents(service, SLICES)
            if labels_of(obj).get(MANAGED_BY) == MANAGER and not is_terminating(obj)
        ]
        _write(service, wanted, existing, hands)
        return None


def _selecting(change: Change, hands: Hands) -> Iterable[Key]:
    label_sets = [labels_of(pod) for pod in (change.object, change.previous) if pod is not None]
    for service in hands.all(SERVICES, change.namespace):
        selector = dig(service, "spec", "selector")
        if selector and any(matches_map(selector, labels) for labels in label_sets):
            yield change.namespace, name_of(service)


class _Group:
    """Endpoints that offer the same ports."""

    def __init__(self, ports: list[Json] | None) -> None:
        self.ports = ports
        self.endpoints: list[Json] = []


def _wanted(service: Object, hands: Hands) -> list[_Group]:
    """Endpoints grouped by their ports: a port name may stand for another number in each pod."""
    groups: dict[str, _Group] = {}
    selector = service["spec"]["selector"]
    for pod in hands.all(PODS, namespace_of(service)):
        if matches_map(selector, labels_of(pod)) and _has_endpoint(pod):
            ports = _ports(service, pod)
            group = groups.setdefault(str(ports), _Group(ports))
            group.endpoints.append(_endpoint(service, pod, hands))
    return list(groups.values()) or [_Group(None)]


def _has_endpoint(pod: Object) -> bool:
    ended = dig(pod, "status", "phase") in ("Succeeded", "Failed")
    return bool(dig(pod, "status", "podIP")) and not ended


def _endpoint(service: Object, pod: Object, hands: Hands) -> Json:
    serving, terminating = is_ready(pod), is_terminating(pod)
    published = bool(service["spec"].get("publishNotReadyAddresses"))
    endpoint: Json = {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {
            "ready": published or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": {
            "kind": "Pod",
            "namespace": namespace_of(pod),
            "name": name_of(pod),
            "uid": uid_of(pod),
        },
    }
    node_name = dig(pod, "spec", "nodeName")
    if node_name:
        endpoint["nodeName"] = node_name
        node = hands.get("nodes", "", node_name)
        zone = labels_of(node).get(ZONE) if node is not None else None
        if zone:
            endpoint["zone"] = zone
    return endpoint


def _ports(service: Object, pod: Object) -> list[Json]:
    ports = []
    for port in service["spec"].get("ports") or ():
        number = _port_number(port, pod)
        if number is not None:
            optional = {key: port[key] for key in ("appProtocol",) if key in port}
            found = {"name": port.get("name", ""), "port": number, "protocol": port["protocol"]}
            ports.append({**found, **optional})
    return ports


def _port_number(port: Object, pod: Object) -> int | None:
    target = port["targetPort"]
    if isinstance(target, int):
        return target
    offers = (
        offer
        for container in pod["spec"]["containers"]
        for offer in container.get("ports") or ()
        if offer.get("name") == target and offer.get("protocol", "TCP") == port["protocol"]
    )
    first: Object | None = next(offers, None)
    return None if first is None else int(first["containerPort"])


def _labels(service: Object) -> dict[str, str]:
    labels = {key: value for key, value in labels_of(service).items() if key not in _RESERVED}
    if service["spec"].get("clusterIP") in (None, "", "None"):
        labels[HEADLESS] = ""
    return {**labels, SERVICE_NAME: name_of(service), MANAGED_BY: MANAGER}


def _write(
    service: Object, wanted: Sequence[_Group], existing: Sequence[Object], hands: Hands
) -> None:
    """Fill the slices there are, in order of age; create what is missing, delete what is left."""
    spare = list(existing)
    labels = _labels(service)
    for group in wanted:
        mine = [obj for obj in spare if obj["ports"] == (group.ports or None)]
        for endpoints in _divided(group.endpoints, mine):
            slot = mine.pop(0) if mine else _unused(spare, wanted)
            # empty lists come back from the real store as null
            body = {"labels": labels, "endpoints": endpoints or None, "ports": group.ports or None}
            if slot is None:
                _create(service, body, hands)
            else:
                spare.remove(slot)
                _refill(slot, body, hands)
    for obj in spare:
        hands.delete(SLICES, obj)


def _unused(spare: Sequence[Object], wanted: Sequence[_Group]) -> Object | None:
    """A slice whose ports nobody asks for any more."""
    asked = [group.ports or None for group in wanted]
    return next((obj for obj in spare if obj["ports"] not in asked), None)


def _divided(endpoints: Sequence[Json], slices: Sequence[Object]) -> list[list[Json]]:
    """Endpoints in parts of at most 100, in the order in which the slices have them now."""
    order = {
        dig(endpoint, "targetRef", "uid"): rank
        for rank, endpoint in enumerate(
            endpoint for obj in slices for endpoint in obj["endpoints"] or ()
        )
    }
    known = sorted(
        endpoints, key=lambda endpoint: order.get(endpoint["targetRef"]["uid"], len(order))
    )
    parts = [known[at : at + LARGEST_SLICE] for at in range(0, len(known), LARGEST_SLICE)]
    return parts or [[]]


def _create(service: Object, body: Json, hands: Hands) -> None:
    owner = {**controller_reference(service), "apiVersion": "v1", "kind": "Service"}
    hands.create(
        SLICES,
        namespace_of(service),
        {
            "metadata": {
                "generateName": f"{name_of(service)}-",
                "labels": body["labels"],
                "ownerReferences": [owner],
            },
            "addressType": "IPv4",
            "endpoints": body["endpoints"],
            "ports": body["ports"],
        },
    )


def _refill(obj: Object, body: Json, hands: Hands) -> None:
    def edit(old: Object) -> Json:
        meta = {**old["metadata"], "labels": body["labels"]}
        same = {"endpoints": body["endpoints"], "ports": body["ports"]}
        return {**old, **same, "metadata": meta}

    hands.update(SLICES, obj, edit)
