"""Every router there is, by how it makes a share."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final

from rollout.traffic.ingress import IngressRouter
from rollout.traffic.replicas import ReplicaRouter
from rollout.traffic.router import Router, Settings
from rollout.traffic.service import ServiceRouter


class Means(Enum):
    """What a share is made with."""

    SERVICE = "a Service that selects one version"
    REPLICAS = "a Service that selects both, and the number of their pods"
    INGRESS = "a weight on an Ingress"


ROUTERS: Final[Mapping[Means, Callable[[Settings], Router]]] = {
    Means.SERVICE: ServiceRouter,
    Means.REPLICAS: ReplicaRouter,
    Means.INGRESS: IngressRouter,
}


def router(means: Means, settings: Settings) -> Router:
    """Return the router that makes shares so."""
    return ROUTERS[means](settings)
