"""How a service leaves Flagger without downtime.

Flagger serves a copy of the Deployment, `NAME-primary`. So the Deployment itself is brought up,
what sends requests is turned to it, and only then goes what Flagger has made.
"""

from collections.abc import Iterator
from typing import Final

from rollout.convert.documents import Document
from rollout.convert.draft import Draft
from rollout.convert.moving import Move, apply, labels_in, place, scaled

CANARIES: Final = "canaries.flagger.app"
SUSPENDED: Final = '{"spec":{"suspend":true}}'
BY_SERVICE: Final = ("nginx", "kubernetes")
"""Providers with which requests reach the pods through the Service alone."""
ROUTES: Final = {
    "istio": "virtualservice",
    "gatewayapi": "httproute",
    "contour": "httpproxy",
    "gloo": "routetable",
    "linkerd": "trafficsplit",
    "smi": "trafficsplit",
    "osm": "trafficsplit",
    "appmesh": "virtualservice",
    "apisix": "apisixroute",
    "traefik": "traefikservice",
}
"""What Flagger has written for other providers, by how their names begin."""


def moves(
    document: Document,
    target: str,
    service: Draft,
    *,
    ingress: str,
    provider: str,
    scaler: tuple[str, str] | None,
) -> tuple[Move, ...]:
    """Say how; what hands the service over to rollout comes after these."""
    space, name = place(document), document.name
    return (
        Move(
            "only between two releases: it must be Initialized or Succeeded",
            f"kubectl get {CANARIES} {name}{space}",
        ),
        Move(
            "keep Flagger from acting",
            f"kubectl patch {CANARIES} {name} --type merge -p '{SUSPENDED}'{space}",
        ),
        Move(
            "see how many pods serve",
            f"kubectl get deployment {target}-primary -o jsonpath='{{.spec.replicas}}'{space}",
        ),
        *_resumed(scaler, space),
        *scaled(target, document),
        *_turned(document, service, ingress, provider),
        Move(
            "take the Canary away and leave what it made",
            f"kubectl delete {CANARIES} {name} --cascade=orphan{space}",
        ),
        *_made_by_flagger(document, target, service.name, ingress, scaler),
    )


def _resumed(scaler: tuple[str, str] | None, space: str) -> Iterator[Move]:
    if scaler is not None and scaler[0] == "ScaledObject":
        paused = "autoscaling.keda.sh/paused-replicas-"
        yield Move(
            "Flagger had paused the autoscaler at no pods",
            f"kubectl annotate scaledobject {scaler[1]} {paused}{space}",
        )


def _turned(document: Document, service: Draft, ingress: str, provider: str) -> Iterator[Move]:
    """Send the requests to the Deployment."""
    space = place(document)
    chosen = ",".join(
        f"{key}={value}" for key, value in labels_in(service.body, "spec", "selector").items()
    )
    yield Move(
        "these must be its pods, and no others: the Service will select them",
        f"kubectl get pods -l {chosen}{space}",
    )
    yield Move(
        "have the Service select them",
        apply(document, [service], "--server-side", "--force-conflicts"),
    )
    if provider in BY_SERVICE or (not provider and ingress):
        return
    route = next((kind for begin, kind in ROUTES.items() if provider.startswith(begin)), "ROUTE")
    unless = "" if provider else "unless Flagger runs with -mesh-provider=kubernetes, "
    yield Move(
        f"{unless}the route still sends requests to {service.name}-primary: write {service.name} "
        "in its place, with all the weight, and go on when it does",
        f"kubectl edit {route} {service.name}{space}",
    )


def _made_by_flagger(
    document: Document, target: str, service: str, ingress: str, scaler: tuple[str, str] | None
) -> Iterator[Move]:
    """Remove what Flagger has made beside the user's own."""
    names = [("ingress", f"{ingress}-canary")] if ingress else []
    names += [("service", f"{service}-canary"), ("service", f"{service}-primary")]
    names += [(scaler[0].lower(), f"{scaler[1]}-primary")] if scaler else []
    names += [("deployment", f"{target}-primary")]
    for kind, name in names:
        why = "Flagger made it, and no request goes through it any more"
        yield Move(why, f"kubectl delete {kind} {name}{place(document)}")
