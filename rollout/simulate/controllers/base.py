"""What every control loop gets and gives: keys, hands to write with, a time to look again."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol, TypeAlias

from rollout.resources.objects import name_of, namespace_of, uid_of
from rollout.resources.writes import Object
from rollout.simulate.objects import Json, timestamp
from rollout.simulate.registry import DeleteOptions, Edit, Registry
from rollout.simulate.store import Change

Key: TypeAlias = tuple[str, str]
"""Namespace and name of the object that a loop looks after."""


class Hands:
    """What a control loop does to the cluster, by the same rules as any client."""

    def __init__(self, registry: Registry, *, events: bool) -> None:
        self.registry = registry
        self._events = events

    def now(self) -> datetime:
        """The moment, by the cluster's clock."""
        return self.registry.clock()

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """The object, or None."""
        return self.registry.store.get(resource, namespace, name)

    def all(self, resource: str, namespace: str | None = None) -> list[Object]:
        """All objects of a resource, sorted by namespace and name."""
        return self.registry.store.all(resource, namespace)

    def dependents(self, owner: Object, resource: str) -> list[Object]:
        """Objects of the resource that name `owner` among their owners, in order of creation."""
        found = (
            self.get(*place)
            for place in self.registry.store.dependents(uid_of(owner))
            if place[0] == resource
        )
        return [obj for obj in found if obj is not None]

    def create(self, resource: str, namespace: str, body: Object) -> Object:
        """Create an object."""
        return self.registry.create(self.registry.catalog.by_key(resource), namespace, body)

    def update(self, resource: str, obj: Object, edit: Edit) -> Object:
        """Change an object that is still the one that was read."""
        api = self.registry.catalog.by_key(resource)
        return self.registry.update(api, namespace_of(obj), name_of(obj), edit)

    def update_status(self, resource: str, obj: Object, edit: Edit) -> Object:
        """Change the status of an object."""
        api = self.registry.catalog.by_key(resource)
        return self.registry.update(api, namespace_of(obj), name_of(obj), edit, "status")

    def delete(self, resource: str, obj: Object, propagation: str = "Background") -> None:
        """Delete an object, if it still is this one."""
        api = self.registry.catalog.by_key(resource)
        options = DeleteOptions(uid=uid_of(obj), propagation=propagation)
        self.registry.delete(api, namespace_of(obj), name_of(obj), options)

    def event(self, about: Object, reason: str, note: str, kind: str = "Normal") -> None:
        """Tell people what was done, where events are kept at all."""
        if self._events:
            self.create(
                "events.events.k8s.io", namespace_of(about), self._event(about, reason, note, kind)
            )

    def _event(self, about: Object, reason: str, note: str, kind: str) -> Json:
        moment = timestamp(self.now())
        return {
            "metadata": {"generateName": f"{name_of(about)}."},
            "reason": reason,
            "note": note,
            "type": kind,
            "regarding": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "namespace": namespace_of(about),
                "name": name_of(about),
                "uid": uid_of(about),
                "resourceVersion": about["metadata"]["resourceVersion"],
            },
            "deprecatedSource": {"component": f"{about['kind'].lower()}-controller"},
            "deprecatedFirstTimestamp": moment,
            "deprecatedLastTimestamp": moment,
            "deprecatedCount": 1,
            "eventTime": None,
            "reportingController": f"{about['kind'].lower()}-controller",
        }


class Controller(Protocol):
    """A control loop."""

    def keys(self, change: Change, hands: Hands) -> Iterable[Key]:
        """Keys that a change gives reason to look at."""
        ...

    def reconcile(self, key: Key, hands: Hands) -> datetime | None:
        """Take one look and write what is needed; gives the time of the next look, if any."""
        ...
