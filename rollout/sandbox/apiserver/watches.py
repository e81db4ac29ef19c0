"""Watches: changes of a kind as a stream of lines, from a version on."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from rollout.resources.writes import Object
from rollout.sandbox.apiserver.asks import Ask
from rollout.sandbox.apiserver.selection import object_test
from rollout.sandbox.apiserver.wire import Drawing, columns_of, flag, shown, status_of
from rollout.simulate import refusals
from rollout.simulate.cluster import SimulatedCluster
from rollout.simulate.objects import Json, put
from rollout.simulate.store import Change

INITIAL_END: Final = "k8s.io/initial-events-end"


@dataclass
class Watch:
    """One watch: what it selects, and how far it has come."""

    ask: Ask
    cluster: SimulatedCluster
    version: int
    _test: Callable[[Object], bool]
    _headless: bool = False

    @staticmethod
    def begin(ask: Ask, cluster: SimulatedCluster) -> tuple["Watch", list[bytes]]:
        """A watch and its first lines: what there is already, where that is asked for.

        Raises Refused (400).
        """
        test = object_test(ask)
        asked = ask.query.get("resourceVersion", "")
        if asked and not asked.isdigit():
            raise refusals.unreadable(
                f'resourceVersion: Invalid value: "{asked}": strconv.ParseUint: parsing "{asked}": '
                "invalid syntax"
            )
        with cluster.lock:
            version = cluster.registry.store.version
            if asked not in ("", "0") and not flag(ask.query, "sendInitialEvents"):
                return Watch(ask, cluster, int(asked), test), []
            watch = Watch(ask, cluster, version, test)
            lines = [watch._line("ADDED", obj) for obj in watch._present()]
            if flag(ask.query, "sendInitialEvents"):
                lines.append(watch.bookmark({INITIAL_END: "true"}))
            return watch, lines

    def _present(self) -> Iterator[Object]:
        namespaced = self.ask.view.api.resource.namespaced
        where = self.ask.target.namespace if namespaced else None
        for obj in self.cluster.registry.store.all(self.ask.view.api.key, where):
            outward = self.ask.view.outward(obj)
            if self._test(outward):
                yield outward

    def lines(self) -> list[bytes]:
        """What happened since the last call. Raises Gone when the log no longer reaches back."""
        with self.cluster.lock:
            store = self.cluster.registry.store
            oldest = max(store.oldest_version, self.ask.view.api.born)
            if self.version < oldest:
                raise refusals.expired(self.version, oldest)
            changes = list(store.since(min(self.version, store.version)))
            self.version = max(self.version, store.version)
        return [self._line(kind, obj) for kind, obj in self._selected(changes)]

    def _selected(self, changes: Iterable[Change]) -> Iterator[tuple[str, Object]]:
        key, namespace = self.ask.view.api.key, self.ask.target.namespace
        for change in changes:
            if change.resource == key and namespace in (None, change.namespace):
                yield from self._turned(change)

    def _turned(self, change: Change) -> Iterator[tuple[str, Object]]:
        """The change as this watch sees it: objects come and go also by their labels."""
        outward = self.ask.view.outward
        new, old = outward(change.object), change.previous and outward(change.previous)
        is_in = change.type != "DELETED" and self._test(new)
        was_in = old is not None and self._test(old)
        if is_in:
            yield ("MODIFIED" if was_in else "ADDED"), new
        elif was_in and old is not None:
            version = new["metadata"]["resourceVersion"]
            last = new if change.type == "DELETED" else old
            yield "DELETED", put(last, ("metadata", "resourceVersion"), version)

    def _line(self, kind: str, obj: Object) -> bytes:
        view, shape = self.ask.view, self.ask.shape
        columns = columns_of(view.api, view.columns_key)
        body = shown(obj, Drawing(shape, columns, self.cluster.registry.clock()))
        if shape.form == "table":
            if self._headless:
                del body["columnDefinitions"]
            self._headless = True
        return _encoded(kind, body)

    def bookmark(self, annotations: Json | None = None) -> bytes:
        """A line that says only how far the watch has come."""
        resource = self.ask.view.resource
        meta: Json = {"resourceVersion": str(self.version)}
        if annotations:
            meta["annotations"] = annotations
        body = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": meta}
        return _encoded("BOOKMARK", body)


def failure(refusal: Any) -> bytes:
    """The last line of a watch that cannot go on."""
    return _encoded("ERROR", status_of(refusal))


def _encoded(kind: str, body: Any) -> bytes:
    return json.dumps({"type": kind, "object": body}, separators=(",", ":")).encode() + b"\n"
