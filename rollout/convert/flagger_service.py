"""The Service that Flagger has made, as one of the user's own."""

from collections.abc import Sequence
from typing import Any, Final

from rollout.convert.documents import Document, together
from rollout.convert.draft import Draft
from rollout.convert.ledger import Fate, Source

OF_MESH: Final = "it is a setting of the mesh: write it on the mesh's own object"
OWN_ROUTE: Final = "write it on the route that you own; Flagger wrote one of its own"
HEADERS: Final = "it is a setting of the route: write it on the Ingress, as an annotation"
ONE_SERVICE: Final = (
    "the candidate's Service is made for the time of a release, without metadata of its own"
)
FOUND: Final = "The labels of the Deployment's pods."
GUESSED: Final = (
    "The label by which Flagger told pods apart was its own setting: compare it with the labels of "
    "the Deployment's pods."
)
YOURS: Final = "Flagger had changed the selector of the Service; this is yours."
EARLIER: Final = "Flagger made this Service, and its deletion would take it: apply it before that."


def service(
    source: Source, document: Document, apex: str, target: str, others: Sequence[Document]
) -> Draft:
    """Word the Service that users reach."""
    source.take("name", "the Service, and traffic.services")
    own = source.part("apex")
    metadata: dict[str, Any] = {"name": apex}
    if document.namespace:
        metadata["namespace"] = document.namespace
    for key in ("labels", "annotations"):
        if found := own.part(key).value:
            metadata[key] = dict(found)
        own.keep(key, f"{key} of the Service")
    selector, said = _selector(target, document, others)
    spec: dict[str, Any] = {"selector": selector, "ports": [_port(source)]}
    if source.flag("headless"):
        spec["clusterIP"] = "None"
    source.take("headless", "clusterIP: None")
    if distribution := source.take("trafficDistribution", "trafficDistribution"):
        spec["trafficDistribution"] = distribution
    body = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
    _rest(source)
    for other in others:
        if (other.kind, other.name) == ("Service", apex) and together(
            other.namespace, document.namespace
        ):
            other.ledger.record((), dict(other.body), Fate.CONVERTED, "itself, with your selector")
            return Draft(dict(other.body), {("spec", "selector"): YOURS}, other.subject)
    draft = Draft(body, origin=document.subject)
    draft.note(EARLIER, "kind")
    draft.note(said, "spec", "selector")
    return draft


def _selector(
    target: str, document: Document, others: Sequence[Document]
) -> tuple[dict[str, str], str]:
    for other in others:
        if (other.kind, other.name) == ("Deployment", target) and together(
            other.namespace, document.namespace
        ):
            labels = other.source.part("spec").part("selector").part("matchLabels").value
            if labels:
                return dict(labels), FOUND
    return {"app": target}, GUESSED


def _port(source: Source) -> dict[str, Any]:
    number = source.number("port")
    source.take("port", "port of the Service")
    port: dict[str, Any] = {"name": source.take("portName", "name of the port") or "http"}
    port["port"] = number if number is not None else 80
    port["targetPort"] = source.take("targetPort", "targetPort") or port["port"]
    if protocol := source.take("appProtocol", "appProtocol"):
        port["appProtocol"] = protocol
    return port


def _rest(source: Source) -> None:
    if source.flag("portDiscovery"):
        source.no_equal("portDiscovery", "add the other ports of the containers to the Service")
    else:
        source.not_needed("portDiscovery", "false is how it always is")
    kept = "nothing is removed from your Service"
    source.known("unmanagedMetadata", ("labels", "annotations"), Fate.NOT_NEEDED, kept)
    for key in ("meshName", "backends", "gateways", "delegation", "trafficPolicy"):
        source.no_equal(key, OF_MESH)
    for key in ("gatewayRefs", "hosts", "match", "rewrite"):
        source.no_equal(key, OWN_ROUTE)
    for key in ("timeout", "backendTimeout", "retries", "headers", "corsPolicy"):
        source.no_equal(key, HEADERS)
    source.no_equal("mirror", "requests are not mirrored")
    source.no_equal("primary", "there is no second Service for the version that serves")
    source.no_equal("canary", ONE_SERVICE)
