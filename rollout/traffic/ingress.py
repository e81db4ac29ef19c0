"""An Ingress as a router: a second Ingress beside it with canary annotations and a weight.

The user's Ingress is never touched. The annotations are those of ingress-nginx, which other
controllers read as well; the prefix is configurable.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from rollout.resources.words import (
    LATCH,
    MANAGED_BY,
    POD_TEMPLATE_HASH,
    RELEASE_LABEL,
    ROLLOUT_LABEL,
)
from rollout.resources.writes import Create, Kind, Object, Patch
from rollout.traffic.service import annotations, merge, own_selector

SUFFIX: Final = "-candidate"
LEGACY_CLASS: Final = "kubernetes.io/ingress.class"
KNOWN_CONTROLLERS: Final = frozenset(
    {"k8s.io/ingress-nginx", "traefik.io/ingress-controller", "rollout.dev/edge"}
)
KNOWN_CLASSES: Final = frozenset({"nginx", "traefik"})
"""Names that say enough where IngressClass objects cannot be read."""


def beside(name: str) -> str:
    """Return the name of our object beside one of the user's."""
    return f"{name[: 253 - len(SUFFIX)]}{SUFFIX}"


def side_service_name(name: str) -> str:
    """Return the name of the Service that selects the candidate, beside one of the user's."""
    return f"{name[: 63 - len(SUFFIX)]}{SUFFIX}"


def backends(ingress: Object) -> Iterator[str]:
    """Yield the names of the Services that an Ingress routes to."""
    spec = ingress.get("spec") or {}
    default = (spec.get("defaultBackend") or {}).get("service")
    if default:
        yield str(default["name"])
    for path in _paths(spec):
        service = (path.get("backend") or {}).get("service")
        if service:
            yield str(service["name"])


def _paths(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for rule in spec.get("rules") or []:
        yield from (rule.get("http") or {}).get("paths") or []


def places(ingress: Object) -> set[tuple[str, str]]:
    """Return the hosts and paths that an Ingress answers for."""
    spec = ingress.get("spec") or {}
    return {
        (str(rule.get("host") or ""), str(path.get("path") or "/"))
        for rule in spec.get("rules") or []
        for path in (rule.get("http") or {}).get("paths") or []
    }


def class_of(ingress: Object) -> str:
    """Return the class of an Ingress, empty when it has none."""
    named = (ingress.get("spec") or {}).get("ingressClassName")
    return str(named or annotations(ingress).get(LEGACY_CLASS, ""))


def class_known(ingress: Object, classes: Collection[Object] | None) -> bool:
    """Whether the class is one whose controller is known to honour canary annotations."""
    name = class_of(ingress)
    found = [c for c in classes or () if c["metadata"]["name"] == name]
    if not name:
        found = [c for c in classes or () if _is_default(c)]
    if found:
        return any((c.get("spec") or {}).get("controller") in KNOWN_CONTROLLERS for c in found)
    return name in KNOWN_CLASSES


def _is_default(ingress_class: Object) -> bool:
    return annotations(ingress_class).get("ingressclass.kubernetes.io/is-default-class") == "true"


def is_canary(ingress: Object, prefix: str) -> bool:
    """Whether an Ingress is the canary of another."""
    return annotations(ingress).get(f"{prefix}/canary") == "true"


def weight_of(ingress: Object, prefix: str) -> int:
    """Return the share that a canary Ingress asks for; 0 for what is no number."""
    text = annotations(ingress).get(f"{prefix}/canary-weight", "0")
    return int(text) if text.isdecimal() else 0


def create_route(
    ingress: Object, services: Collection[str], prefix: str, labels: Mapping[str, str]
) -> Create:
    """Create the canary Ingress beside one of the user's, at weight 0."""
    notes = {f"{prefix}/canary": "true", f"{prefix}/canary-weight": "0"}
    if LEGACY_CLASS in annotations(ingress):
        notes[LEGACY_CLASS] = annotations(ingress)[LEGACY_CLASS]
    spec = ingress["spec"]
    kept = {key: spec[key] for key in ("ingressClassName", "tls") if spec.get(key)}
    body = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": beside(str(ingress["metadata"]["name"])),
            "labels": dict(labels),
            "annotations": notes,
            "ownerReferences": [owner(ingress, "networking.k8s.io/v1", "Ingress")],
        },
        "spec": {**kept, **_routed(spec, services)},
    }
    return Create(Kind.INGRESS, str(ingress["metadata"]["namespace"]), body)


def _routed(spec: Mapping[str, Any], services: Collection[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    default = (spec.get("defaultBackend") or {}).get("service")
    if default and default["name"] in services:
        found["defaultBackend"] = _moved(spec["defaultBackend"])
    rules = [_rule(rule, services) for rule in spec.get("rules") or []]
    if any(rules):
        found["rules"] = [rule for rule in rules if rule]
    return found


def _rule(rule: Mapping[str, Any], services: Collection[str]) -> dict[str, Any]:
    paths = [
        {**path, "backend": _moved(path["backend"])}
        for path in (rule.get("http") or {}).get("paths") or []
        if ((path.get("backend") or {}).get("service") or {}).get("name") in services
    ]
    return {**rule, "http": {"paths": paths}} if paths else {}


def _moved(backend: Mapping[str, Any]) -> dict[str, Any]:
    service = backend["service"]
    return {"service": {**service, "name": side_service_name(str(service["name"]))}}


def set_weight(
    route: Object, weight: int, prefix: str, *, latch: str | None = None
) -> Patch | None:
    """Set the share of a canary Ingress; None when it asks for that already."""
    notes = {}
    if weight_of(route, prefix) != weight:
        notes[f"{prefix}/canary-weight"] = str(weight)
    if latch is not None and annotations(route).get(LATCH) != latch:
        notes[LATCH] = latch
    return merge(Kind.INGRESS, route, {}, notes) if notes else None


def create_side_service(service: Object, hash_: str, labels: Mapping[str, str]) -> Create:
    """Create the Service that selects the candidate: ports and nothing else of the user's."""
    name = str(service["metadata"]["name"])
    kept = ("name", "port", "protocol", "targetPort", "appProtocol")
    ports = [{k: p[k] for k in kept if k in p} for p in service["spec"].get("ports") or []]
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": side_service_name(name),
            "labels": dict(labels),
            "ownerReferences": [owner(service, "v1", "Service")],
        },
        "spec": {
            "type": "ClusterIP",
            "ports": ports,
            "selector": {**own_selector(service), POD_TEMPLATE_HASH: hash_},
        },
    }
    return Create(Kind.SERVICE, str(service["metadata"]["namespace"]), body)


def owner(obj: Object, api_version: str, kind: str) -> dict[str, Any]:
    """Return a reference to an owner that does not control: only garbage collection follows it."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": obj["metadata"]["name"],
        "uid": obj["metadata"]["uid"],
        "controller": False,
        "blockOwnerDeletion": False,
    }


def our_labels(rollout: str, release: str) -> dict[str, str]:
    """Return the labels of every object of ours."""
    return {MANAGED_BY: "rollout", ROLLOUT_LABEL: rollout[:63], RELEASE_LABEL: release[:63]}
