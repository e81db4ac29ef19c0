"""Objects of one kind as a watch has told them, and own writes that it has not told yet.

A controller that acts on a cache right after a write sees the world before that write. So the
answer of an own write can be put here at once. It is shown until the watch has come as far, and
the watch's older news never hide it. What we have deleted is hidden likewise, by its uid.

That needs an order of resourceVersions. Kubernetes promises it since 1.35 (KEP-5504): those of
one resource type compare as integers. Earlier servers on etcd keep it too, without the promise.
Where one is not an integer nothing is shown ahead, and the cache is what the watch tells.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from rollout.kube.cluster import EventType, ObjectList, WatchEvent
from rollout.resources.writes import Kind, Object

Key: TypeAlias = tuple[str, str]
"""Namespace ("" for cluster-wide kinds) and name."""


WITH_MANAGERS: Final = frozenset({Kind.DEPLOYMENT})
"""Kinds of which is asked who wrote a field."""


class ChangeType(Enum):
    """What happened to an object between two looks at it."""

    ADDED = "Added"
    MODIFIED = "Modified"
    DELETED = "Deleted"


@dataclass(frozen=True)
class Change:
    """One object before and after; `old` is None when it came, `new` when it went."""

    kind: Kind
    type: ChangeType
    namespace: str
    name: str
    old: Object | None
    new: Object | None


@dataclass(frozen=True)
class _OwnWrite:
    """An answer of the server to us, and in which list-and-watch round it came."""

    object: Object
    round: int


@dataclass(frozen=True)
class _OwnDelete:
    """The uid of what we have deleted, and in which round."""

    uid: str
    round: int


def newer(version: str, other: str) -> bool:
    """Whether a resourceVersion is surely later than another of the same kind."""
    return version.isdecimal() and other.isdecimal() and int(version) > int(other)


class Cache:
    """The objects of one kind. Safe to use from many threads."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._lock = threading.Lock()
        self._told: dict[Key, Object] = {}
        self._spaces: dict[str, set[Key]] = {}
        """Keys of what was told, by namespace: a list costs what is in it, and not all there is."""
        self._own: dict[Key, _OwnWrite] = {}
        self._deleted: dict[Key, _OwnDelete] = {}
        self._round = 0
        self._position = ""

    @property
    def position(self) -> str:
        """The resourceVersion up to which the watch has told; "" before the first list."""
        return self._position

    def get(self, namespace: str, name: str) -> Object | None:
        """Give the latest known state of an object, None when there is none."""
        with self._lock:
            return self._latest((namespace, name))

    def list(self, namespace: str | None = None) -> tuple[Object, ...]:
        """Give the latest known state of all objects, by namespace and name."""
        with self._lock:
            told = self._told if namespace is None else self._spaces.get(namespace, ())
            own = (key for key in self._own if namespace in (None, key[0]))
            latest = [self._latest(key) for key in sorted({*told, *own})]
        return tuple(found for found in latest if found is not None)

    def _latest(self, key: Key) -> Object | None:
        own, deleted = self._own.get(key), self._deleted.get(key)
        found = own.object if own else self._told.get(key)
        gone = found is not None and deleted is not None and _identity(found)[0] == deleted.uid
        return None if gone else found

    def updated(self, answer: Object) -> None:
        """Show the answer of an own write, if it is later than all that is known.

        An answer that the watch has already passed is left out: its object may have been
        deleted since, and would be shown for ever.
        """
        if answer.get("kind") != self._kind.value.kind:
            return  # a Delete may be answered with a Status
        key, version = _key(answer), _version(answer)
        with self._lock:
            own = self._own.get(key)
            if newer(version, _version(own.object) if own else self._position):
                self._own[key] = _OwnWrite(self._slim(answer), self._round)

    def deleted(self, namespace: str, name: str, uid: str) -> None:
        """Hide what we have deleted until the watch tells that it is gone.

        What is not shown is left out: the watch has passed it, or another has its name.
        """
        key = (namespace, name)
        with self._lock:
            found = self._latest(key)
            if found is not None and _identity(found)[0] == uid:
                self._deleted[key] = _OwnDelete(uid, self._round)

    def begin_list(self) -> None:
        """Say that a list is about to be asked for: it will contain all own writes so far."""
        with self._lock:
            self._round += 1

    def replace(self, listed: ObjectList) -> tuple[Change, ...]:
        """Take over a list; gives what differs from what was told before."""
        with self._lock:
            before, self._told = self._told, {_key(o): self._slim(o) for o in listed.items}
            self._spaces = {}
            for key in self._told:
                self._spaces.setdefault(key[0], set()).add(key)
            self._own = {k: own for k, own in self._own.items() if own.round == self._round}
            self._deleted = {k: d for k, d in self._deleted.items() if d.round == self._round}
            self._move_to(listed.resource_version)
            return tuple(self._differences(before))

    def follow(self, event: WatchEvent) -> Change | None:
        """Take over one event of the watch; gives what it changed."""
        with self._lock:
            change = None if event.type is EventType.BOOKMARK else self._take(event)
            self._move_to(_version(event.object))
            return change

    def _take(self, event: WatchEvent) -> Change | None:
        key = _key(event.object)
        old = self._told.pop(key, None)
        if event.type is EventType.DELETED:
            self._deleted.pop(key, None)
            self._spaces.get(key[0], set()).discard(key)
            return self._change(key, old, None)
        new = self._told[key] = self._slim(event.object)
        self._spaces.setdefault(key[0], set()).add(key)
        return self._change(key, old, new)

    def _slim(self, thing: Object) -> Object:
        """Leave out who wrote which field, often the larger half of an object."""
        if self._kind in WITH_MANAGERS:
            return thing
        metadata = {k: v for k, v in thing["metadata"].items() if k != "managedFields"}
        return {**thing, "metadata": metadata}

    def _move_to(self, version: str) -> None:
        """Drop the own writes that the watch has caught up with."""
        self._position = version
        self._own = {
            key: own for key, own in self._own.items() if newer(_version(own.object), version)
        }

    def _differences(self, before: dict[Key, Object]) -> Iterable[Change]:
        for key in sorted(before.keys() | self._told.keys()):
            if change := self._change(key, before.get(key), self._told.get(key)):
                yield change

    def _change(self, key: Key, old: Object | None, new: Object | None) -> Change | None:
        if old is None and new is None:
            return None
        if old is None:
            kind = ChangeType.ADDED
        elif new is None:
            kind = ChangeType.DELETED
        elif _identity(old) == _identity(new):
            return None
        else:
            kind = ChangeType.MODIFIED
        return Change(self._kind, kind, *key, old, new)


def _key(thing: Object) -> Key:
    return thing["metadata"].get("namespace", ""), thing["metadata"]["name"]


def _version(thing: Object) -> str:
    return str(thing["metadata"].get("resourceVersion", ""))


def _identity(thing: Object) -> tuple[str, str]:
    return thing["metadata"].get("uid", ""), _version(thing)
