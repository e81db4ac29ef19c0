"""From Kubernetes objects to what the edge should do: hosts, paths, shares, endpoints. Pure.

It reads Ingresses the way the controllers that know canary annotations do: the oldest Ingress
owns a host and path, a canary Ingress for the same host and path takes its share of it. Where
real controllers differ, the harsher reading is taken, since practice must not be kinder than
production: a canary without ready pods answers 503 (some controllers fall back to stable).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from rollout.resources.writes import Object

CONTROLLER: Final = "k8s.io/ingress-nginx"
"""`spec.controller` of the IngressClasses that the edge serves."""

ANNOTATION_PREFIX: Final = "nginx.ingress.kubernetes.io"

_CLASS_ANNOTATION: Final = "kubernetes.io/ingress.class"
_DEFAULT_CLASS_ANNOTATION: Final = "ingressclass.kubernetes.io/is-default-class"
_SERVICE_LABEL: Final = "kubernetes.io/service-name"
_TOTAL: Final = 100


class PathType(Enum):
    """How a path is compared. ImplementationSpecific is read as a prefix, as nginx does."""

    EXACT = "Exact"
    PREFIX = "Prefix"


@dataclass(frozen=True)
class World:
    """The objects that decide where a request goes."""

    ingresses: tuple[Object, ...]
    classes: tuple[Object, ...]
    services: tuple[Object, ...]
    slices: tuple[Object, ...]


@dataclass(frozen=True)
class Dialect:
    """Which Ingresses are ours, and how their canaries are marked."""

    controller: str = CONTROLLER
    annotation_prefix: str = ANNOTATION_PREFIX
    service_hosts: bool = True
    """Whether `<service>.<namespace>.svc` is a host too: callers inside the cluster."""


@dataclass(frozen=True)
class Place:
    """A host ("" is any) and path."""

    host: str
    path: str
    type: PathType = PathType.PREFIX

    @property
    def rank(self) -> tuple[str, bool, int, str]:
        """Key by which the first place that matches is the right one: exact, then longest."""
        return self.host, self.type is not PathType.EXACT, -len(self.path), self.path


Endpoint = tuple[str, int]
"""Address, as the API shows it, and port."""


@dataclass(frozen=True)
class Table:
    """What the edge should do.

    `routes` gives each place its clusters with their weights, `endpoints` each cluster its
    ready addresses. Clusters are named `<namespace>_<service>_<port>`.
    """

    routes: Mapping[Place, Mapping[str, int]]
    endpoints: Mapping[str, tuple[Endpoint, ...]]

    def clusters(self) -> frozenset[str]:
        """Names of all clusters that routes lead to."""
        return frozenset(name for split in self.routes.values() for name in split)


def read(world: World, dialect: Dialect) -> Table:
    """Work out the table of a world."""
    services = {_key(service): service for service in world.services}
    ours = [i for i in sorted(world.ingresses, key=_age) if _is_ours(i, world.classes, dialect)]
    routes = _routes(ours, services, dialect)
    if dialect.service_hosts:
        routes = _service_routes(world.services) | routes
    slices: dict[tuple[str, str], list[Object]] = {}
    for item in world.slices:
        service = (item["metadata"].get("labels") or {}).get(_SERVICE_LABEL, "")
        slices.setdefault((item["metadata"]["namespace"], service), []).append(item)
    table = Table(routes, {})
    endpoints = {name: _endpoints(name, services, slices) for name in table.clusters()}
    return Table(routes, endpoints)


def cluster_name(namespace: str, service: str, port: int | str) -> str:
    """Name a cluster. Kubernetes names have no underscores, so it can be taken apart again."""
    return f"{namespace}_{service}_{port}"


def _routes(
    ingresses: list[Object], services: Mapping[tuple[str, str], Object], dialect: Dialect
) -> dict[Place, Mapping[str, int]]:
    owners: dict[Place, str] = {}
    canaries: dict[Place, tuple[str, float]] = {}
    for ingress in ingresses:
        share = _canary_share(ingress, dialect.annotation_prefix)
        for place, backend in _backends(ingress):
            name = _backend_name(ingress["metadata"]["namespace"], backend, services)
            if share is None:
                owners.setdefault(place, name)
            else:
                canaries.setdefault(place, (name, share))
    return {place: _split(name, canaries.get(place)) for place, name in owners.items()}


def _split(stable: str, canary: tuple[str, float] | None) -> Mapping[str, int]:
    if canary is None or canary[0] == stable:
        return {stable: _TOTAL}
    name, share = canary
    weight = round(share * _TOTAL * _TOTAL)  # hundredths of a percent
    return {stable: _TOTAL * _TOTAL - weight, name: weight}


def _canary_share(ingress: Object, prefix: str) -> float | None:
    """Give the share of a canary Ingress, None for one that is no canary."""
    annotations = ingress["metadata"].get("annotations") or {}
    if annotations.get(f"{prefix}/canary") != "true":
        return None
    weight = _number(annotations.get(f"{prefix}/canary-weight"), 0)
    total = _number(annotations.get(f"{prefix}/canary-weight-total"), _TOTAL) or _TOTAL
    return min(1.0, weight / total)


def _number(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isdecimal() else default


def _is_ours(ingress: Object, classes: Iterable[Object], dialect: Dialect) -> bool:
    annotations = ingress["metadata"].get("annotations") or {}
    name = ingress["spec"].get("ingressClassName") or annotations.get(_CLASS_ANNOTATION)
    for item in classes:
        if item["spec"].get("controller") != dialect.controller:
            continue
        marks = item["metadata"].get("annotations") or {}
        is_default = marks.get(_DEFAULT_CLASS_ANNOTATION) == "true"
        if name == item["metadata"]["name"] or (name is None and is_default):
            return True
    return False


def _backends(ingress: Object) -> Iterator[tuple[Place, Object]]:
    spec = ingress["spec"]
    if "service" in (spec.get("defaultBackend") or {}):
        yield Place("", "/"), spec["defaultBackend"]["service"]
    for rule in spec.get("rules") or ():
        for path in (rule.get("http") or {}).get("paths") or ():
            if "service" in path["backend"]:
                yield _place(rule.get("host", ""), path), path["backend"]["service"]


def _place(host: str, path: Object) -> Place:
    text = path.get("path") or "/"
    if path.get("pathType") == PathType.EXACT.value:
        return Place(host, text, PathType.EXACT)
    return Place(host, text.rstrip("/") or "/")


def _backend_name(
    namespace: str, backend: Object, services: Mapping[tuple[str, str], Object]
) -> str:
    wanted = backend.get("port") or {}
    port = wanted.get("number") or wanted.get("name", "")
    service = services.get((namespace, backend["name"]))
    for candidate in (service or {"spec": {}})["spec"].get("ports") or ():
        if port in (candidate["port"], candidate.get("name")):
            return cluster_name(namespace, backend["name"], candidate["port"])
    return cluster_name(namespace, backend["name"], port)


def _service_routes(services: Iterable[Object]) -> dict[Place, Mapping[str, int]]:
    """Give each Service the hosts that callers inside the cluster use; its first port answers."""
    routes: dict[Place, Mapping[str, int]] = {}
    for service in services:
        namespace, name = _key(service)
        ports = service["spec"].get("ports")
        if ports and service["spec"].get("selector"):
            split = {cluster_name(namespace, name, ports[0]["port"]): _TOTAL}
            for domain in ("svc", "svc.cluster.local"):
                routes[Place(f"{name}.{namespace}.{domain}", "/")] = split
    return routes


def _endpoints(
    cluster: str,
    services: Mapping[tuple[str, str], Object],
    slices: Mapping[tuple[str, str], list[Object]],
) -> tuple[Endpoint, ...]:
    namespace, name, port = cluster.split("_")
    service = services.get((namespace, name))
    if service is None:
        return ()
    names = {p.get("name") or "" for p in service["spec"]["ports"] if str(p["port"]) == port}
    found = (_ready(item, names) for item in slices.get((namespace, name), ()))
    return tuple(sorted({endpoint for ready in found for endpoint in ready}))


def _ready(item: Object, port_names: set[str]) -> Iterator[Endpoint]:
    """Give the endpoints of a slice that take traffic: no word on readiness means ready."""
    ports = [p["port"] for p in item.get("ports") or () if (p.get("name") or "") in port_names]
    if item.get("addressType") != "IPv4":
        return
    for endpoint in item.get("endpoints") or ():
        conditions: Mapping[str, Any] = endpoint.get("conditions") or {}
        if conditions.get("ready") is not False and not conditions.get("terminating"):
            yield from ((address, port) for address in endpoint["addresses"] for port in ports)


def _key(thing: Object) -> tuple[str, str]:
    return thing["metadata"]["namespace"], thing["metadata"]["name"]


def _age(thing: Object) -> tuple[str, str, str]:
    return (thing["metadata"].get("creationTimestamp", ""), *_key(thing))
