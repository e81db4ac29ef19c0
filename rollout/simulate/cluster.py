"""A Kubernetes cluster in memory: the `Cluster` protocol, and what an HTTP server needs beside it.

Synchronous, one lock, no threads, no clock of its own. `apply` answers as the API server would;
`settle` runs the control loops until nothing changes.
"""

from collections.abc import Iterable
from datetime import datetime
from threading import RLock
from typing import Final, Self

from rollout.kube.cluster import ObjectList
from rollout.resources.objects import labels_of
from rollout.resources.words import GROUP
from rollout.resources.writes import Create, Delete, Kind, Object, Patch, PatchType, Write
from rollout.simulate import refusals
from rollout.simulate.catalog import BUILT_IN, ApiResource, Catalog, custom_schemaless
from rollout.simulate.controllers.base import Hands
from rollout.simulate.controllers.manager import Manager
from rollout.simulate.decoding import decoded
from rollout.simulate.definitions import DEFINITION_KIND
from rollout.simulate.names import Names
from rollout.simulate.patches import patched
from rollout.simulate.registry import Clock, DeleteOptions, Registry
from rollout.simulate.scale import scale_of, scaled
from rollout.simulate.selectors import label_test
from rollout.simulate.store import WINDOW, Store

OUR_KINDS: Final = tuple(kind for kind in Kind if kind.value.group == GROUP)
"""Custom kinds of this product, for worlds that do without their CRDs."""

CUSTOM_PATCHES: Final = (
    PatchType.JSON.value,
    PatchType.MERGE.value,
    "application/apply-patch+yaml",
)
"""Patches that a real server takes for custom kinds: they have no merge keys."""


class SimulatedCluster:
    """A cluster in memory. Objects it gives out are shared snapshots: never change them."""

    def __init__(
        self,
        clock: Clock,
        *,
        namespaces: Iterable[str] = ("default",),
        custom_kinds: Iterable[Kind] = (),
        events: bool = False,
        seed: str = "",
        window: int = WINDOW,
    ) -> None:
        """Start a cluster.

        `namespaces` exist from the start; `custom_kinds` are served without a CRD and without a
        schema; `events` makes the control loops write Events; the same `seed` makes the same
        names and uids; `window` is how many changes a watcher may lag behind.
        """
        catalog = Catalog(
            [*BUILT_IN, DEFINITION_KIND, *(custom_schemaless(kind) for kind in custom_kinds)]
        )
        registry = Registry(Store(window), catalog, clock, Names(seed))
        self._assemble(registry, events=events)
        for namespace in namespaces:
            self.apply(Create(Kind.NAMESPACE, "", {"metadata": {"name": namespace}}))
        self.settle()

    def _assemble(self, registry: Registry, *, events: bool) -> None:
        self.registry = registry
        self.lock = RLock()
        self._events = events
        self._manager = Manager(Hands(registry, events=events))

    def fork(self, clock: Clock | None = None) -> Self:
        """A world that is the same now and goes its own way; costs microseconds."""
        with self.lock:
            old = self.registry
            registry = Registry(
                old.store.fork(), old.catalog.fork(), clock or old.clock, old.names.fork()
            )
            twin = object.__new__(type(self))
            twin._assemble(registry, events=self._events)
            twin._manager = self._manager.fork(Hands(registry, events=self._events))
            return twin

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Read one object. Raises NotFound."""
        with self.lock:
            return self.registry.get(self.registry.catalog.of(kind), namespace, name)

    def list(
        self, kind: Kind, namespace: str | None = None, label_selector: str = ""
    ) -> ObjectList:
        """Read all objects of a kind, in one namespace or (None) in all."""
        with self.lock:
            api = self.registry.catalog.of(kind)
            where = namespace if api.resource.namespaced else None
            items = self.registry.store.all(api.key, where)
            if label_selector:
                test = label_test(label_selector)
                items = [obj for obj in items if test(labels_of(obj))]
            return ObjectList(tuple(items), str(self.registry.store.version))

    def apply(self, write: Write) -> Object:
        """Carry out one write; the control loops have not acted on it yet: see `settle`.

        Raises AlreadyExists, NotFound, Conflict, Invalid or another Refused.
        """
        with self.lock:
            api = self.registry.catalog.of(write.kind)
            match write:
                case Create():
                    body, _ = decoded(api.named(write.body))
                    return self.registry.create(api, write.namespace, body)
                case Patch():
                    return self._patch(api, write)
                case Delete():
                    options = DeleteOptions(
                        write.uid, write.resource_version, write.propagation, write.grace_seconds
                    )
                    deleted = self.registry.delete(api, write.namespace, write.name, options)
                    return deleted.object

    def _patch(self, api: ApiResource, write: Patch) -> Object:
        if write.subresource == "scale":
            return self._patch_scale(api, write)
        if write.subresource == "status" and not api.status:
            raise refusals.no_such_path()
        if write.type is PatchType.STRATEGIC and not api.strategic:
            raise refusals.unsupported_media_type(CUSTOM_PATCHES)
        return self.registry.update(
            api,
            write.namespace,
            write.name,
            lambda old: decoded(patched(old, write.type, write.body), old)[0],
            write.subresource or "",
        )

    def _patch_scale(self, api: ApiResource, write: Patch) -> Object:
        def edit(old: Object) -> Object:
            return scaled(api, old, patched(scale_of(api, old), write.type, write.body))

        return scale_of(api, self.registry.update(api, write.namespace, write.name, edit))

    def settle(self) -> int:
        """Run the control loops until nothing changes; gives how many looks they took."""
        with self.lock:
            return self._manager.settle()

    def step(self) -> bool:
        """Let one control loop take one look; says whether there was work."""
        with self.lock:
            return self._manager.step()

    def next_due(self) -> datetime | None:
        """When `settle` will have work without any write: deadlines, minimum ready times."""
        return self._manager.next_due()
