"""An Ingress as a router: a second Ingress beside it with canary annotations and a weight.

The user's Ingress is never touched. The annotations are those of ingress-nginx, which other
controllers read as well; the prefix is configurable.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from rollout.resources.guarded import delete, merge
from rollout.resources.names import beside
from rollout.resources.objects import annotations_of, name_of, namespace_of
from rollout.resources.owners import owner
from rollout.resources.words import LATCH
from rollout.resources.writes import Create, Kind, Object, Patch, Write
from rollout.traffic.router import Settings, Split, Steered, View
from rollout.traffic.side import side_service_name

DEFAULT_CLASS: Final = "ingressclass.kubernetes.io/is-default-class"
LEGACY_CLASS: Final = "kubernetes.io/ingress.class"
KNOWN_CONTROLLERS: Final = frozenset(
    {"k8s.io/ingress-nginx", "traefik.io/ingress-controller", "rollout.dev/edge"}
)
KNOWN_CLASSES: Final = frozenset({"nginx", "traefik"})
"""Names that say enough where IngressClass objects cannot be read."""


class IngressRouter:
    """Shares by weight; the share goes to the Service beside the user's, whatever its hash."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def beside(self, name: str) -> str:
        """Name of the canary Ingress."""
        return beside(name)

    def view(self, steered: Steered) -> View:
        """Read the weight; no controller of Ingresses confirms what it has applied."""
        if steered.beside is None:
            return View(ready=False)
        weight = weight_of(steered.beside, self._settings.annotation_prefix)
        latch = annotations_of(steered.beside).get(LATCH)
        return View(asked=weight, applied=weight, latch=latch)

    def prepare(self, steered: Steered) -> tuple[Write, ...]:
        """Create the canary Ingress at weight 0."""
        if steered.own is None or steered.beside is not None:
            return ()
        known = self._settings
        made = create_route(steered.own, known.services, known.annotation_prefix, known.labels)
        return (made,)

    def patches(self, steered: Steered, split: Split) -> tuple[Write, ...]:
        """Set the weight of the canary Ingress; nothing where there is none."""
        if steered.beside is None:
            return ()
        prefix = self._settings.annotation_prefix
        patch = set_weight(steered.beside, split.weight, prefix, latch=split.latch)
        return () if patch is None else (patch,)

    def restore(self, steered: Steered) -> tuple[Write, ...]:
        """Delete the canary Ingress."""
        gone = delete(Kind.INGRESS, steered.beside) if steered.beside is not None else None
        return () if gone is None else (gone,)


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
    return str(named or annotations_of(ingress).get(LEGACY_CLASS, ""))


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
    return (
        annotations_of(ingress_class).get("ingressclass.kubernetes.io/is-default-class") == "true"
    )


def is_canary(ingress: Object, prefix: str) -> bool:
    """Whether an Ingress is the canary of another."""
    return annotations_of(ingress).get(f"{prefix}/canary") == "true"


def weight_of(ingress: Object, prefix: str) -> int:
    """Return the share that a canary Ingress asks for; 0 for what is no number."""
    text = annotations_of(ingress).get(f"{prefix}/canary-weight", "0")
    return int(text) if text.isdecimal() else 0


def create_route(
    ingress: Object, services: Collection[str], prefix: str, labels: Mapping[str, str]
) -> Create:
    """Create the canary Ingress beside one of the user's, at weight 0."""
    notes = {f"{prefix}/canary": "true", f"{prefix}/canary-weight": "0"}
    if LEGACY_CLASS in annotations_of(ingress):
        notes[LEGACY_CLASS] = annotations_of(ingress)[LEGACY_CLASS]
    spec = ingress["spec"]
    kept = {key: spec[key] for key in ("ingressClassName", "tls") if spec.get(key)}
    body = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": beside(name_of(ingress)),
            "labels": dict(labels),
            "annotations": notes,
            "ownerReferences": [owner(ingress, Kind.INGRESS)],
        },
        "spec": {**kept, **_routed(spec, services)},
    }
    return Create(Kind.INGRESS, namespace_of(ingress), body)


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
    if latch is not None and annotations_of(route).get(LATCH) != latch:
        notes[LATCH] = latch
    return merge(Kind.INGRESS, route, {}, notes) if notes else None
