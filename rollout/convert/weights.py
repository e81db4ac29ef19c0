"""Shares of requests: how many steps there can be, and who makes the share."""

from typing import Final

WHOLE: Final = 100
MOST_STEPS: Final = 20
NO_ROUTER: Final = (
    "requests are weighted by an Ingress with canary annotations (ingress-nginx, Traefik 3.7 and "
    "others) or by the number of pods: route through one of these"
)
UNROUTED: Final = (
    "Its router has no equal: the share is made by an Ingress that routes to the Service, or else "
    "by the number of pods."
)
UNROUTED_AT_ONCE: Final = (
    "Its router has no equal: at the cutover the Service leads all requests to the candidate."
)
