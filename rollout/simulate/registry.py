"""The write path of the API: what the real server does between a request and etcd.

Defaults, rules, generations, preconditions, finalizers and the two steps of a deletion are the
same for all kinds; where a kind departs, its `ApiResource` says so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from rollout.resources.objects import is_terminating, name_of, namespace_of
from rollout.resources.writes import Object, Resource
from rollout.simulate import refusals
from rollout.simulate.admission import admit
from rollout.simulate.catalog import ApiResource, Catalog
from rollout.simulate.definitions import DEFINITIONS, served_kind
from rollout.simulate.names import Names
from rollout.simulate.objects import Json, dig, drop, parse_time, put, timestamp
from rollout.simulate.refusals import FieldError
from rollout.simulate.store import Store
from rollout.simulate.validation.names import metadata_update

Clock: TypeAlias = Callable[[], datetime]
Edit: TypeAlias = Callable[[Object], Object]

POD_BINDING: Final = Resource("Binding", "pods/binding")
FOREGROUND: Final = "foregroundDeletion"
ORPHAN: Final = "orphan"
_SERVERS_OWN: Final = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "generateName",
)
_OMITTED_WHEN_EMPTY: Final = ("labels", "annotations", "ownerReferences", "finalizers")


@dataclass(frozen=True)
class DeleteOptions:
    """How, and under which conditions, an object is deleted."""

    uid: str | None = None
    resource_version: str | None = None
    propagation: str = "Background"
    grace_seconds: int | None = None


@dataclass(frozen=True)
class Deleted:
    """The last answer of a deletion: the object, and whether it is gone from the store."""

    object: Object
    gone: bool


class Registry:
    """Creates, updates and deletes objects by the rules of their kinds."""

    def __init__(self, store: Store, catalog: Catalog, clock: Clock, names: Names) -> None:
        self.store = store
        self.catalog = catalog
        self.clock = clock
        self.names = names

    def get(self, api: ApiResource, namespace: str, name: str) -> Object:
        """The object. Raises NotFound."""
        obj = self.store.get(api.key, namespace if api.resource.namespaced else "", name)
        if obj is None:
            raise refusals.not_found(api.resource, name)
        return obj

    def create(self, api: ApiResource, namespace: str, body: Object) -> Object:
        """Store a new object. Raises AlreadyExists, Invalid, Forbidden or NotFound (namespace)."""
        obj = self._identified(api, namespace, body)
        if api.initial is not None:
            obj.pop("status", None)
            obj.update(api.initial)
        obj = admit(api, api.default(obj), self.store)
        self._check(api, obj, None)
        existing = self.store.get(api.key, namespace_of(obj), name_of(obj))
        if existing is not None:
            raise refusals.already_exists(
                api.resource, name_of(obj), terminating=is_terminating(existing)
            )
        return self._insert(api, obj)

    def _identified(self, api: ApiResource, namespace: str, body: Object) -> Json:
        if (body.get("metadata") or {}).get("resourceVersion"):
            raise refusals.unreadable("resourceVersion should not be set on objects to be created")
        meta = {
            key: value
            for key, value in (body.get("metadata") or {}).items()
            if value not in (None, {}, []) and key not in ("resourceVersion", "selfLink")
        }
        if api.resource.namespaced:
            meta.setdefault("namespace", namespace)
        else:
            meta.pop("namespace", None)
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = self.names.generated(meta["generateName"])
        meta["uid"] = self.names.uid()
        meta["creationTimestamp"] = timestamp(self.clock())
        for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
            meta.pop(field, None)
        if api.generation_moves is not None:
            meta["generation"] = 1
        named = {"apiVersion": api.resource.api_version, "kind": api.resource.kind}
        return {**named, **body, **named, "metadata": meta}

    def update(
        self, api: ApiResource, namespace: str, name: str, edit: Edit, subresource: str = ""
    ) -> Object:
        """Store what `edit` makes of the object; nothing is written when nothing differs.

        Raises NotFound, Conflict, Invalid, or what `edit` raises.
        """
        old = self.get(api, namespace, name)
        edited = edit(old)
        if edited is old:
            return old
        new = self._carried_over(api, old, edited, subresource)
        if new == old:
            return old
        if is_terminating(old) and self._may_go(new):
            self._remove(api, old)
            return new
        return self._replace(api, new, old)

    def _insert(self, api: ApiResource, obj: Object) -> Object:
        stored = self.store.insert(api.key, obj)
        if api.key == DEFINITIONS:
            self.catalog.add(replace(served_kind(stored), born=self.store.version))
        return stored

    def _replace(self, api: ApiResource, new: Object, old: Object) -> Object:
        stored = self.store.replace(api.key, new, old)
        if api.key == DEFINITIONS and stored["spec"] != old["spec"]:
            self.catalog.add(replace(served_kind(stored), born=self.store.version))
        return stored

    def _remove(self, api: ApiResource, obj: Object) -> Object:
        removed = self.store.remove(api.key, obj)
        if api.key == DEFINITIONS:
            self.catalog.discard(name_of(removed))
        return removed

    def _may_go(self, obj: Object) -> bool:
        """Whether a deleted object has nothing left that holds it."""
        return not _holders(obj) and not obj["metadata"].get("deletionGracePeriodSeconds")

    def _carried_over(
        self, api: ApiResource, old: Object, edited: Object, subresource: str
    ) -> Json:
        self._precondition(api, old, edited)
        uid = (edited.get("metadata") or {}).get("uid")
        if uid and uid != old["metadata"]["uid"]:
            self._refuse(api, old, [refusals.invalid("metadata.uid", uid, "field is immutable")])
        new = dict(edited)
        new["metadata"] = _metadata(old, edited, api)
        if subresource == "status":
            for path in api.status_keeps:
                new = _kept(new, old, path)
        elif api.status:
            new = _kept(new, old, ("status",))
        new["apiVersion"], new["kind"] = old["apiVersion"], old["kind"]
        if subresource == "status":
            if api.default_status is not None:
                new = api.default_status(new)
            self._refuse(api, new, api.validate_status(new, old))
            return new
        moved = any(
            new.get(part) is not old.get(part)
            for part in new.keys() | old.keys()
            if part not in ("metadata", "status")
        )
        if moved:
            new = admit(api, api.default(new), self.store, old)
        if api.generation_moves is not None and api.generation_moves(new, old):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        if moved or new["metadata"] != old["metadata"]:
            self._check(api, new, old)
        return new

    def bind(self, namespace: str, name: str, node: str) -> Object:
        """Give a pod its node. Raises NotFound, or Conflict when it has one."""
        api = self.catalog.by_key("pods")
        pod = self.get(api, namespace, name)
        taken = dig(pod, "spec", "nodeName")
        if taken or is_terminating(pod):
            why = (
                f'pod {name} is already assigned to node "{taken}"'
                if taken
                else f"pod {name} is being deleted, cannot be assigned to a host"
            )
            raise refusals.conflict(POD_BINDING, name, why)
        scheduled = {
            "type": "PodScheduled",
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": timestamp(self.clock()),
        }
        conditions = dig(pod, "status", "conditions") or ()
        others = [known for known in conditions if known["type"] != "PodScheduled"]
        bound = put(pod, ("spec", "nodeName"), node)
        bound = put(bound, ("status", "conditions"), [*others, scheduled])
        return self.store.replace(api.key, bound, pod)

    def _precondition(self, api: ApiResource, old: Object, edited: Object) -> None:
        meta = edited.get("metadata") or {}
        name = name_of(old)
        if meta.get("name", name) != name:
            raise refusals.bad_request(
                f"the name of the object ({meta['name']}) does not match the name on the URL "
                f"({name})"
            )
        version = meta.get("resourceVersion")
        if not version and not api.unconditional_update:
            raise refusals.no_version_given(api.resource, name)
        if version and version != old["metadata"]["resourceVersion"]:
            raise refusals.conflict(api.resource, name, refusals.MODIFIED)

    def _check(self, api: ApiResource, new: Object, old: Object | None) -> None:
        errors = api.validate(new, old)
        if old is not None:
            errors = [*metadata_update(new, old), *errors]
        self._refuse(api, new, errors)

    def _refuse(self, api: ApiResource, obj: Object, errors: Sequence[FieldError]) -> None:
        if errors:
            named = api.refused_as or api.resource
            raise refusals.invalid_object(named, obj["metadata"].get("name", ""), errors)

    def delete(
        self, api: ApiResource, namespace: str, name: str, options: DeleteOptions
    ) -> Deleted:
        """Delete an object, at once or in the steps that its grace and finalizers ask for.

        Raises NotFound or Conflict (preconditions).
        """
        old = self.get(api, namespace, name)
        self._delete_precondition(api, old, options)
        if is_terminating(old):
            return self._delete_again(api, old, options)
        grace = _grace(old, options.grace_seconds) if api.graceful else 0
        finalizers = _finalizers(old, options.propagation)
        held = bool(finalizers or _holders(old))
        if not grace and not held and not api.graceful:
            return Deleted(self._remove(api, old), gone=True)
        when = timestamp(self.clock() + timedelta(seconds=grace))
        meta = {**old["metadata"], "deletionTimestamp": when, "deletionGracePeriodSeconds": grace}
        if finalizers:
            meta["finalizers"] = finalizers
        if meta.get("generation"):
            meta["generation"] += 1
        marked = self.store.replace(api.key, self._marked(api, {**old, "metadata": meta}), old)
        if not grace and not held:
            return Deleted(self._remove(api, marked), gone=True)
        return Deleted(marked, gone=False)

    def _marked(self, api: ApiResource, obj: Json) -> Json:
        if api.key == "namespaces":
            return put(obj, ("status", "phase"), "Terminating")
        return obj

    def _delete_again(self, api: ApiResource, old: Object, options: DeleteOptions) -> Deleted:
        """Only a shorter grace period, or none, makes a difference to a terminating object."""
        left = old["metadata"].get("deletionGracePeriodSeconds", 0)
        grace = options.grace_seconds
        if left == 0 and self._may_go(old):
            return Deleted(self._remove(api, old), gone=True)
        if not left or grace is None or grace >= left:
            return Deleted(old, gone=False)
        asked = parse_time(old["metadata"]["deletionTimestamp"]) - timedelta(seconds=left)
        when = max(asked + timedelta(seconds=grace), self.clock())
        meta = {
            **old["metadata"],
            "deletionTimestamp": timestamp(when),
            "deletionGracePeriodSeconds": grace,
        }
        shortened = self.store.replace(api.key, {**old, "metadata": meta}, old)
        if grace == 0 and self._may_go(shortened):
            return Deleted(self._remove(api, shortened), gone=True)
        return Deleted(shortened, gone=False)

    def _delete_precondition(self, api: ApiResource, old: Object, options: DeleteOptions) -> None:
        meta = old["metadata"]
        if options.uid and options.uid != meta["uid"]:
            why = (
                f"the UID in the precondition ({options.uid}) does not match the UID in record "
                f"({meta['uid']}). The object might have been deleted and then recreated"
            )
            raise refusals.conflict(api.resource, name_of(old), why, by_kind=True)
        if options.resource_version and options.resource_version != meta["resourceVersion"]:
            why = (
                f"the ResourceVersion in the precondition ({options.resource_version}) does not "
                f"match the ResourceVersion in record ({meta['resourceVersion']}). The object "
                "might have been modified"
            )
            raise refusals.conflict(api.resource, name_of(old), why, by_kind=True)


def _holders(obj: Object) -> Any:
    """Finalizers of the object; a Namespace has one more list of them in its spec."""
    of_namespace = dig(obj, "spec", "finalizers") if obj["kind"] == "Namespace" else None
    return obj["metadata"].get("finalizers") or of_namespace


def _metadata(old: Object, edited: Object, api: ApiResource) -> Json:
    before = old["metadata"]
    meta = dict(edited.get("metadata") or before)
    for field in _SERVERS_OWN:
        if field in before:
            meta[field] = before[field]
        else:
            meta.pop(field, None)
    for field in _OMITTED_WHEN_EMPTY:
        if field in meta and not meta[field]:
            del meta[field]
    meta["name"], meta["resourceVersion"] = before["name"], before["resourceVersion"]
    if api.resource.namespaced:
        meta["namespace"] = before["namespace"]
    return meta


def _kept(new: Json, old: Object, path: tuple[str, ...]) -> Json:
    """The new object with the old one's field at `path`."""
    if len(path) == 1:
        value: Any = old.get(path[0])
    else:
        value = dig(old, *path)
    if path == ("metadata",):
        return {**new, "metadata": dict(old["metadata"])}
    return drop(new, path) if value is None else put(new, path, value)


def _grace(pod: Object, asked: int | None) -> int:
    """Seconds a pod gets to stop: none before it has a node or after it has ended."""
    ended = dig(pod, "status", "phase") in ("Succeeded", "Failed")
    if ended or not dig(pod, "spec", "nodeName"):
        return 0
    seconds: int = asked if asked is not None else pod["spec"]["terminationGracePeriodSeconds"]
    return max(seconds, 0) if seconds >= 0 else 1


def _finalizers(obj: Object, propagation: str) -> list[str]:
    finalizers = [
        name for name in obj["metadata"].get("finalizers") or () if name not in (FOREGROUND, ORPHAN)
    ]
    extra = {"Foreground": [FOREGROUND], "Orphan": [ORPHAN]}.get(propagation, [])
    return finalizers + extra
