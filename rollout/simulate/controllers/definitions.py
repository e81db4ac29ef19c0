"""Custom kinds come and go: conditions of their definitions, and the end of their objects."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from rollout.resources.objects import is_terminating, name_of
from rollout.resources.writes import Object
from rollout.simulate.controllers.base import Hands, Key
from rollout.simulate.definitions import DEFINITIONS, storage_version
from rollout.simulate.objects import Json, put, timestamp
from rollout.simulate.store import Change

CLEANUP: Final = "customresourcecleanup.apiextensions.k8s.io"


class DefinitionController:
    """Establishes definitions, and removes the objects of one that is deleted."""

    def keys(self, change: Change, hands: Hands) -> Iterable[Key]:
        """The definition itself, or that of an object which is gone."""
        if change.resource == DEFINITIONS:
            yield "", change.name
        elif change.type == "DELETED" and hands.get(DEFINITIONS, "", change.resource) is not None:
            yield "", change.resource

    def reconcile(self, key: Key, hands: Hands) -> datetime | None:
        """Write the status of a new definition, or take the next step of its deletion."""
        definition = hands.get(DEFINITIONS, *key)
        if definition is None:
            return None
        if is_terminating(definition):
            _remove(definition, hands)
        elif CLEANUP not in (definition["metadata"].get("finalizers") or ()):
            hands.update(DEFINITIONS, definition, _guarded)
        else:
            status = _status(definition, hands.now())
            hands.update_status(DEFINITIONS, definition, lambda old: {**old, "status": status})
        return None


def _guarded(definition: Object) -> Json:
    finalizers = definition["metadata"].get("finalizers") or []
    return put(definition, ("metadata", "finalizers"), [*finalizers, CLEANUP])


def _remove(definition: Object, hands: Hands) -> None:
    resource = name_of(definition)
    for obj in hands.all(resource):
        if not is_terminating(obj):
            hands.delete(resource, obj)
    finalizers = definition["metadata"].get("finalizers") or []
    if not hands.all(resource) and CLEANUP in finalizers:
        left = [name for name in finalizers if name != CLEANUP]
        hands.update(
            DEFINITIONS, definition, lambda old: put(old, ("metadata", "finalizers"), left)
        )


def _status(definition: Object, now: datetime) -> Json:
    known = (definition.get("status") or {}).get("conditions") or ()
    spec = definition["spec"]
    return {
        "conditions": list(known) or _conditions(now),
        "acceptedNames": spec["names"],
        "storedVersions": [storage_version(spec)["name"]],
    }


def _conditions(now: datetime) -> list[Json]:
    return [
        {
            "type": kind,
            "status": "True",
            "lastTransitionTime": timestamp(now),
            "reason": reason,
            "message": message,
        }
        for kind, reason, message in (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        )
    ]
