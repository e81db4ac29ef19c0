"""Every router there is, by the kind of object that it steers."""

from collections.abc import Callable, Mapping
from typing import Final

from rollout.resources.writes import Kind
from rollout.traffic.ingress import IngressRouter
from rollout.traffic.router import Router, Settings
from rollout.traffic.service import ServiceRouter

ROUTERS: Final[Mapping[Kind, Callable[[Settings], Router]]] = {
    Kind.SERVICE: ServiceRouter,
    Kind.INGRESS: IngressRouter,
}


def router(kind: Kind, settings: Settings) -> Router:
    """Return the router of a kind. Raises KeyError for a kind that no router steers."""
    return ROUTERS[kind](settings)
