"""The Service beside one of the user's that selects the candidate alone."""

from collections.abc import Mapping

from rollout.resources.names import LONGEST_LABEL, beside
from rollout.resources.objects import name_of, namespace_of
from rollout.resources.owners import owner
from rollout.resources.words import POD_TEMPLATE_HASH
from rollout.resources.writes import Create, Kind, Object
from rollout.traffic.service import own_selector


def side_service_name(name: str) -> str:
    """Return the name of the Service that selects the candidate, beside one of the user's."""
    return beside(name, LONGEST_LABEL)


def create_side_service(service: Object, hash_: str, labels: Mapping[str, str]) -> Create:
    """Create the Service that selects the candidate: ports and nothing else of the user's."""
    name = name_of(service)
    kept = ("name", "port", "protocol", "targetPort", "appProtocol")
    ports = [{k: p[k] for k in kept if k in p} for p in service["spec"].get("ports") or []]
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": side_service_name(name),
            "labels": dict(labels),
            "ownerReferences": [owner(service, Kind.SERVICE)],
        },
        "spec": {
            "type": "ClusterIP",
            "ports": ports,
            "selector": {**own_selector(service), POD_TEMPLATE_HASH: hash_},
        },
    }
    return Create(Kind.SERVICE, namespace_of(service), body)
