"""The practice cluster's ingress controller, with a real Envoy behind it.

with Edge(connect(kubeconfig=...)) as edge:
    ...  # curl -H 'Host: shop.example' {edge.url}
"""

from rollout.sandbox.edge.edge import Edge, Settings
from rollout.sandbox.edge.envoy import EnvoyError
from rollout.sandbox.edge.rules import Dialect, Place

__all__ = ["Dialect", "Edge", "EnvoyError", "Place", "Settings"]
