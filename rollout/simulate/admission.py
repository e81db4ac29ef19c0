"""What the server adds to new objects from its own stock: addresses and accounts.

It also refuses to create anything in a namespace that is missing or going away.
"""

import ipaddress
from typing import TYPE_CHECKING, Final

from rollout.resources.objects import is_terminating, namespace_of
from rollout.resources.writes import Kind, Object
from rollout.simulate import refusals
from rollout.simulate.objects import Json, dig, put
from rollout.simulate.store import Store

if TYPE_CHECKING:
    from rollout.simulate.catalog import ApiResource

SERVICE_RANGE: Final = ipaddress.ip_network("10.0.0.0/16")
RESERVED_ADDRESSES: Final = 10
NODE_PORTS: Final = range(30000, 32768)
TOLERATION_SECONDS: Final = 300

_TOLERATIONS: Final = [
    {
        "key": f"node.kubernetes.io/{trouble}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": TOLERATION_SECONDS,
    }
    for trouble in ("not-ready", "unreachable")
]


def admit(api: "ApiResource", obj: Json, store: Store, old: Object | None = None) -> Json:
    """The object with what the server gives it. Raises NotFound or Forbidden (namespace)."""
    if old is None and api.resource.namespaced:
        _require_namespace(api, obj, store)
    if api.key == "services":
        return _with_addresses(obj, store, old)
    if api.key == "pods" and old is None:
        return _with_account(obj)
    return obj


def _require_namespace(api: "ApiResource", obj: Object, store: Store) -> None:
    name = namespace_of(obj)
    namespace = store.get("namespaces", "", name)
    if namespace is None:
        raise refusals.not_found(Kind.NAMESPACE.value, name)
    if is_terminating(namespace):
        why = f"unable to create new content in namespace {name} because it is being terminated"
        cause = {
            "reason": "NamespaceTerminating",
            "message": f"namespace {name} is being terminated",
            "field": "metadata.namespace",
        }
        raise refusals.forbidden(api.resource, obj["metadata"].get("name", ""), why, [cause])


def _with_addresses(obj: Json, store: Store, old: Object | None) -> Json:
    spec = dict(obj["spec"])
    before = (old or {}).get("spec") or {}
    if spec["type"] == "ExternalName":
        return obj
    address = spec.get("clusterIP") or before.get("clusterIP") or _free_address(store)
    spec["clusterIP"], spec["clusterIPs"] = address, [address]
    if spec["type"] in ("NodePort", "LoadBalancer"):
        spec["ports"] = _with_node_ports(spec.get("ports") or [], store)
    return {**obj, "spec": spec}


def _free_address(store: Store) -> str:
    taken = {dig(service, "spec", "clusterIP") for service in store.all("services")}
    start = RESERVED_ADDRESSES + len(taken)
    size = SERVICE_RANGE.num_addresses
    for offset in range(size):
        address = str(SERVICE_RANGE[(start + offset) % (size - RESERVED_ADDRESSES)])
        if address not in taken:
            return address
    raise refusals.bad_request(f"no free address for a Service in {SERVICE_RANGE}")


def _with_node_ports(ports: list[Json], store: Store) -> list[Json]:
    taken = {
        port.get("nodePort")
        for service in store.all("services")
        for port in dig(service, "spec", "ports") or ()
    }
    free = (number for number in NODE_PORTS if number not in taken)
    return [port if port.get("nodePort") else {**port, "nodePort": next(free)} for port in ports]


def _with_account(obj: Json) -> Json:
    spec = dict(obj["spec"])
    if not spec.get("serviceAccountName"):
        spec["serviceAccountName"] = spec["serviceAccount"] = "default"
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    known = {toleration.get("key") for toleration in spec.get("tolerations") or ()}
    extra = [toleration for toleration in _TOLERATIONS if toleration["key"] not in known]
    spec["tolerations"] = [*(spec.get("tolerations") or ()), *extra]
    return put(obj, ("spec",), spec)
