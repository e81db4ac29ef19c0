"""What etcd is to the real cluster: objects by kind, one rising version, and a bounded log.

Snapshots are shared, never copied: a fork of a world costs a copy of the indexes only.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from rollout.resources.objects import name_of, namespace_of, owners_of, uid_of
from rollout.resources.writes import Object
from rollout.simulate.objects import put

ChangeType: TypeAlias = Literal["ADDED", "MODIFIED", "DELETED"]
Location: TypeAlias = tuple[str, str, str]
"""Resource key, namespace, name."""

Owners: TypeAlias = Sequence[Object]

WINDOW: Final = 4096
"""Changes that are kept for watchers at least; older versions answer 410."""


@dataclass(frozen=True, slots=True)
class Change:
    """One write: what was there before and what is there after it."""

    version: int
    type: ChangeType
    resource: str
    namespace: str
    name: str
    object: Object
    previous: Object | None


class Store:
    """Objects and the log of their changes. Not a validator: it stores what it is given."""

    def __init__(self, window: int = WINDOW) -> None:
        self.version = 0
        self._window = window
        self._tables: dict[str, dict[str, dict[str, Object]]] = {}
        self._dependents: dict[str, dict[Location, None]] = {}
        self._owners_alive: dict[str, Location] = {}
        self._log: list[Change] = []
        self._first = 1

    def fork(self) -> "Store":
        """A store that shares every snapshot and goes its own way from here."""
        twin = Store(self._window)
        twin.version = self.version
        twin._tables = {
            resource: {namespace: dict(names) for namespace, names in namespaces.items()}
            for resource, namespaces in self._tables.items()
        }
        twin._dependents = {uid: dict(places) for uid, places in self._dependents.items()}
        twin._owners_alive = dict(self._owners_alive)
        twin._log = list(self._log)
        twin._first = self._first
        return twin

    @property
    def oldest_version(self) -> int:
        """The oldest version from which a watch can go on without a gap."""
        return self._first - 1

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """The object, or None."""
        return self._tables.get(resource, _NONE).get(namespace, _NOTHING).get(name)

    def all(self, resource: str, namespace: str | None = None) -> list[Object]:
        """All objects of the resource, or those of one namespace, sorted by namespace and name."""
        tables = self._tables.get(resource, _NONE)
        if namespace is not None:
            return [obj for _, obj in sorted(tables.get(namespace, _NOTHING).items())]
        return [obj for _, names in sorted(tables.items()) for _, obj in sorted(names.items())]

    def resources(self) -> list[str]:
        """Keys of the resources that have or had objects, sorted."""
        return sorted(self._tables)

    def dependents(self, uid: str) -> list[Location]:
        """Where the objects are that name `uid` among their owners, in order of creation."""
        return list(self._dependents.get(uid, ()))

    def locate(self, uid: str) -> Location | None:
        """Where the living object with this uid is."""
        return self._owners_alive.get(uid)

    def insert(self, resource: str, obj: Object) -> Object:
        """Store a new object; gives it with its resourceVersion."""
        return self._write("ADDED", resource, obj, None)

    def replace(self, resource: str, obj: Object, previous: Object) -> Object:
        """Store a new version of an object; gives it with its resourceVersion."""
        return self._write("MODIFIED", resource, obj, previous)

    def remove(self, resource: str, obj: Object) -> Object:
        """Take an object away; gives its last state, stamped with the version of the deletion."""
        return self._write("DELETED", resource, obj, obj)

    def since(self, version: int) -> Iterator[Change]:
        """Changes after `version`. Raises LookupError when the log no longer reaches back."""
        if version < self.oldest_version:
            raise LookupError(f"changes after {version} are gone; oldest is {self.oldest_version}")
        yield from self._log[version - self.oldest_version :]

    def _write(
        self, kind: ChangeType, resource: str, obj: Object, previous: Object | None
    ) -> Object:
        self.version += 1
        stored = put(obj, ("metadata", "resourceVersion"), str(self.version))
        namespace, name = namespace_of(stored), name_of(stored)
        names = self._tables.setdefault(resource, {}).setdefault(namespace, {})
        if kind == "DELETED":
            del names[name]
        else:
            names[name] = stored
        self._index((resource, namespace, name), None if kind == "DELETED" else stored, previous)
        self._append(Change(self.version, kind, resource, namespace, name, stored, previous))
        return stored

    def _index(self, place: Location, current: Object | None, previous: Object | None) -> None:
        before = owners_of(previous) if previous is not None else ()
        after = owners_of(current) if current is not None else ()
        if before is not after:
            self._index_owners(place, before, after)
        if previous is None and current is not None:
            self._owners_alive[uid_of(current)] = place
        elif current is None and previous is not None:
            self._owners_alive.pop(uid_of(previous), None)

    def _index_owners(self, place: Location, before: Owners, after: Owners) -> None:
        kept = {owner["uid"] for owner in after}
        for owner in before:
            if owner["uid"] not in kept:
                self._dependents.get(owner["uid"], {}).pop(place, None)
        for uid in kept:
            self._dependents.setdefault(uid, {})[place] = None

    def _append(self, change: Change) -> None:
        self._log.append(change)
        if len(self._log) > 2 * self._window:
            surplus = len(self._log) - self._window
            del self._log[:surplus]
            self._first += surplus


_NOTHING: Final[Mapping[str, Object]] = {}
_NONE: Final[Mapping[str, dict[str, Object]]] = {}
