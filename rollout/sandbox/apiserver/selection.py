"""Which objects of a list or a watch a client asks for: label and field selectors."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from rollout.resources.objects import labels_of
from rollout.resources.writes import Object
from rollout.sandbox.apiserver.asks import Ask
from rollout.simulate import refusals
from rollout.simulate.selectors import field_paths, field_test, label_test

EVERYWHERE: Final = frozenset({"metadata.name", "metadata.namespace"})
FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "pods": frozenset(
        {
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.phase",
            "status.podIP",
        }
    ),
    "namespaces": frozenset({"status.phase"}),
    "replicasets.apps": frozenset({"status.replicas"}),
    "services": frozenset({"spec.clusterIP", "spec.type"}),
    "secrets": frozenset({"type"}),
    "nodes": frozenset({"spec.unschedulable"}),
    "events": frozenset(
        {
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "reason",
            "reportingComponent",
            "reportingController",
            "source",
            "type",
        }
    ),
}
"""Fields by which each kind can be selected, beside name and namespace."""


def object_test(ask: Ask) -> Callable[[Object], bool]:
    """A test of objects as they go out. Raises Refused (400)."""
    labels = label_test(ask.query.get("labelSelector", ""))
    selector = ask.query.get("fieldSelector", "")
    if ask.target.name:
        selector = f"metadata.name={ask.target.name}"
    _check_fields(ask, selector)
    fields = field_test(selector)
    return lambda obj: labels(labels_of(obj)) and fields(obj)


def _check_fields(ask: Ask, selector: str) -> None:
    known = EVERYWHERE | FIELDS.get(ask.view.columns_key, frozenset())
    for path in field_paths(selector):
        if path in known:
            continue
        if ask.view.columns_key in FIELDS or not ask.view.api.strategic:
            raise refusals.bad_request(f"field label not supported: {path}")
        raise refusals.bad_request(
            f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"'
        )


def chosen(ask: Ask, objects: Iterable[Object]) -> list[Object]:
    """The objects that are asked for, as they go out."""
    test = object_test(ask)
    outward = (ask.view.outward(obj) for obj in objects)
    return [obj for obj in outward if test(obj)]
