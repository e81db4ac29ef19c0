"""Garbage collection: what is owned goes with its last owner, by the rules of propagation."""

from collections.abc import Iterable
from datetime import datetime

from rollout.resources.objects import is_terminating, namespace_of, owners_of, uid_of
from rollout.resources.writes import Object
from rollout.simulate.controllers.base import Hands, Key
from rollout.simulate.objects import dig, put
from rollout.simulate.registry import FOREGROUND, ORPHAN, Edit
from rollout.simulate.store import Change


class GarbageCollector:
    """Deletes dependents whose owners are gone, and finishes foreground and orphan deletions.

    Its keys are (resource, uid): objects are told apart by uid, never by name.
    """

    def keys(self, change: Change, hands: Hands) -> Iterable[Key]:
        """The object itself, its dependents when it goes, its owners when they wait for it."""
        uid = uid_of(change.object)
        if change.type == "DELETED":
            for place in hands.registry.store.dependents(uid):
                dependent = hands.get(*place)
                if dependent is not None:
                    yield place[0], uid_of(dependent)
            for owner in owners_of(change.object):
                yield "owner", owner["uid"]
        elif _concerns(change):
            yield change.resource, uid

    def reconcile(self, key: Key, hands: Hands) -> datetime | None:
        """Take the next step for one object."""
        place = hands.registry.store.locate(key[1])
        obj = hands.get(*place) if place is not None else None
        if place is None or obj is None:
            return None
        if is_terminating(obj):
            _finish_deletion(place[0], obj, hands)
        elif owners_of(obj):
            _judge_owners(place[0], obj, hands)
        return None


def _concerns(change: Change) -> bool:
    before = change.previous
    if before is None:
        return bool(owners_of(change.object))
    marked = is_terminating(change.object) and not is_terminating(before)
    return marked or owners_of(change.object) != owners_of(before)


def _finish_deletion(resource: str, obj: Object, hands: Hands) -> None:
    finalizers = obj["metadata"].get("finalizers") or ()
    dependents = [
        (place[0], dependent)
        for place in hands.registry.store.dependents(uid_of(obj))
        if (dependent := hands.get(*place)) is not None
    ]
    if ORPHAN in finalizers:
        for kind, dependent in dependents:
            hands.update(kind, dependent, _without_owners({uid_of(obj)}))
        hands.update(resource, obj, _without_finalizer(ORPHAN))
    elif FOREGROUND in finalizers:
        blocking = [
            (kind, dependent) for kind, dependent in dependents if _blocks(dependent, uid_of(obj))
        ]
        for kind, dependent in blocking:
            if not is_terminating(dependent):
                hands.delete(
                    kind,
                    dependent,
                    "Foreground" if _has_dependents(dependent, hands) else "Background",
                )
        if not blocking:
            hands.update(resource, obj, _without_finalizer(FOREGROUND))


def _blocks(dependent: Object, uid: str) -> bool:
    return any(
        owner["uid"] == uid and owner.get("blockOwnerDeletion") for owner in owners_of(dependent)
    )


def _has_dependents(obj: Object, hands: Hands) -> bool:
    return bool(hands.registry.store.dependents(uid_of(obj)))


def _judge_owners(resource: str, obj: Object, hands: Hands) -> None:
    states = {owner["uid"]: _owner_state(owner["uid"], obj, hands) for owner in owners_of(obj)}
    gone = {uid for uid, state in states.items() if state != "solid"}
    if not gone:
        return
    if len(gone) < len(states):
        hands.update(resource, obj, _without_owners(gone))
    elif "waiting" in states.values():
        hands.delete(resource, obj, "Foreground")
    else:
        hands.delete(resource, obj, _kept_propagation(obj))


def _owner_state(uid: str, dependent: Object, hands: Hands) -> str:
    """`absent`, `waiting` (deleted in the foreground) or `solid`."""
    place = hands.registry.store.locate(uid)
    owner = hands.get(*place) if place is not None else None
    if owner is None or namespace_of(owner) not in ("", namespace_of(dependent)):
        return "absent"
    finalizers = dig(owner, "metadata", "finalizers") or ()
    return "waiting" if is_terminating(owner) and FOREGROUND in finalizers else "solid"


def _kept_propagation(obj: Object) -> str:
    finalizers = obj["metadata"].get("finalizers") or ()
    if ORPHAN in finalizers:
        return "Orphan"
    return "Foreground" if FOREGROUND in finalizers else "Background"


def _without_owners(uids: set[str]) -> Edit:
    return lambda obj: put(
        obj,
        ("metadata", "ownerReferences"),
        [owner for owner in owners_of(obj) if owner["uid"] not in uids],
    )


def _without_finalizer(name: str) -> Edit:
    return lambda obj: put(
        obj,
        ("metadata", "finalizers"),
        [known for known in obj["metadata"].get("finalizers") or () if known != name],
    )
