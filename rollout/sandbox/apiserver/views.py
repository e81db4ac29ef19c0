"""Which kind a path serves, and the two faces of Events: core/v1 and events.k8s.io/v1."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from rollout.resources.writes import Object, Resource
from rollout.sandbox.apiserver.target import Target
from rollout.simulate.catalog import CORE_EVENT, ApiResource, Catalog
from rollout.simulate.objects import Json

Turn: TypeAlias = Callable[[Object], Object]

_RENAMED: Final[Mapping[str, str]] = {
    "regarding": "involvedObject",
    "note": "message",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
    "reportingController": "reportingComponent",
}
_RENAMED_BACK: Final = {new: old for old, new in _RENAMED.items()}
STORED_EVENTS: Final = "events.events.k8s.io"


@dataclass(frozen=True)
class View:
    """A kind as one path serves it: how it is stored, and how it goes in and out."""

    api: ApiResource
    resource: Resource
    columns_key: str
    outward: Turn
    inward: Turn


def _same(obj: Object) -> Object:
    return obj


def core_event(event: Object) -> Json:
    """A stored Event in the words of core/v1."""
    renamed = {_RENAMED.get(key, key): value for key, value in event.items()}
    return {**renamed, "apiVersion": "v1"}


def stored_event(event: Object) -> Json:
    """An Event of core/v1 in the words in which it is stored."""
    renamed = {_RENAMED_BACK.get(key, key): value for key, value in event.items()}
    return {**renamed, "apiVersion": "events.k8s.io/v1"}


def core_events(catalog: Catalog) -> ApiResource:
    """Events of core/v1 as a kind of their own."""
    return replace(catalog.by_key(STORED_EVENTS), resource=CORE_EVENT)


def view_of(catalog: Catalog, target: Target) -> View | None:
    """The view that a target names, None when nothing is served there."""
    if target.group == "" and target.plural == CORE_EVENT.plural:
        stored = catalog.by_key(STORED_EVENTS)
        return View(stored, CORE_EVENT, "events", core_event, stored_event)
    api = catalog.find(target.group, target.version, target.plural)
    if api is None:
        return None
    if api.key == STORED_EVENTS:
        return View(api, api.resource, "events", _same, _same)
    return View(api, api.resource, api.key, _same, _same)
