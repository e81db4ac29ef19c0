"""Which Rollouts a changed object concerns, and whether somebody waits for it.

Rather once too often than not at all: a pass that finds nothing to do costs no request. But pods
and Deployments of other workloads change all day, and must not wake what is idle.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

from rollout.controller.observe import View, phase_of
from rollout.controller.queue import Key, Lane
from rollout.kube.cache import Change
from rollout.resources.names import beside
from rollout.resources.objects import annotations_of
from rollout.resources.rollout import Trigger
from rollout.resources.words import EPOCH
from rollout.resources.writes import Kind, Object

STEERING: Final = frozenset({Kind.ROLLOUT, Kind.ROLLOUT_POLICY, Kind.SERVICE, Kind.INGRESS})
"""Kinds that people change seldom, and that may concern any Rollout of the namespace."""

WORKLOAD: Final = frozenset({Kind.DEPLOYMENT, Kind.REPLICA_SET, Kind.POD})


class Wakes(Protocol):
    """Where keys are put."""

    def add(self, key: Key, lane: Lane = Lane.ORDINARY) -> None:
        """Have a key looked at soon."""


class Waker:
    """Hears of changes from the reflectors and wakes the Rollouts that they concern."""

    def __init__(self, view: View, queue: Wakes) -> None:
        self._view = view
        self._queue = queue

    def __call__(self, change: Change) -> None:
        """Wake whom a change concerns."""
        lane = Lane.URGENT if is_request(change) else Lane.ORDINARY
        for key in set(self._concerned(change)):
            self._queue.add(key, lane)

    def all(self) -> None:
        """Wake every Rollout, and those that only a Release names."""
        keys = {_key(rollout) for rollout in self._view.list(Kind.ROLLOUT, None)}
        keys |= {_key_of(release) for release in self._view.list(Kind.RELEASE, None)}
        for key in sorted(keys):
            self._queue.add(key)

    def _concerned(self, change: Change) -> Iterator[Key]:
        if change.kind is Kind.RELEASE and matters(change):
            yield from (_key_of(one) for one in (change.old, change.new) if one is not None)
        if change.kind in STEERING and matters(change):
            rollouts = self._view.list(Kind.ROLLOUT, change.namespace)
            yield from map(_key, rollouts)
            if change.kind is Kind.ROLLOUT:
                yield Key(change.namespace, change.name)
            else:
                yield from self._active(change.namespace)
        if change.kind in WORKLOAD:
            yield from self._working_on(change)

    def _working_on(self, change: Change) -> Iterator[Key]:
        """Rollouts with a release under way, and idle ones whose Deployment was changed."""
        if change.kind is Kind.POD and not pod_matters(change):
            return
        active = set(self._active(change.namespace))
        for rollout in self._view.list(Kind.ROLLOUT, change.namespace):
            key, target = _key(rollout), str(rollout["spec"]["target"]["deployment"])
            if key in active:
                active.discard(key)
                if _may_belong(change, target):
                    yield key
            elif _is_target(change, target) and (matters(change) or _by_template(rollout)):
                yield key
        yield from active  # their Rollout is gone: they are on their way back

    def _active(self, namespace: str) -> Iterator[Key]:
        releases = self._view.list(Kind.RELEASE, namespace)
        yield from (_key_of(one) for one in releases if not phase_of(one).ended)


def _is_target(change: Change, target: str) -> bool:
    return change.kind is Kind.DEPLOYMENT and change.name == target


def _by_template(rollout: Object) -> bool:
    """Whether also the status of an idle Deployment tells something: that it has settled."""
    return bool(rollout["spec"].get("trigger") == Trigger.TEMPLATE)


def _may_belong(change: Change, target: str) -> bool:
    """ReplicaSets and pods bear the name of their Deployment, or of its candidate."""
    if change.kind is Kind.DEPLOYMENT:
        return change.name in {target, beside(target)}
    return change.name.startswith(f"{target}-")


def is_request(change: Change) -> bool:
    """Whether a person asks for something: a new Release, another action, a deletion."""
    if change.kind is not Kind.RELEASE or change.new is None:
        return change.kind is Kind.RELEASE
    if change.old is None:
        return not phase_of(change.new).ended
    asked = [(one.get("spec") or {}).get("action") for one in (change.old, change.new)]
    return asked[0] != asked[1] or (
        _metadata(change.new, "deletionTimestamp") != _metadata(change.old, "deletionTimestamp")
    )


def matters(change: Change) -> bool:
    """Whether more than the status has changed: that of our kinds is written by ourselves."""
    if change.old is None or change.new is None:
        return True
    fields = ("uid", "deletionTimestamp", "finalizers", "labels")
    if _notes(change.old) != _notes(change.new) or any(
        _metadata(change.old, name) != _metadata(change.new, name) for name in fields
    ):
        return True
    return bool(change.old.get("spec") != change.new.get("spec"))


def _notes(obj: Object) -> Mapping[str, str]:
    """Give the annotations but for the leader's stamp, which asks for nothing."""
    return {key: note for key, note in annotations_of(obj).items() if key != EPOCH}


def pod_matters(change: Change) -> bool:
    """Whether a pod came, went, was told to stop, or changed its readiness or labels."""
    if change.old is None or change.new is None:
        return True
    return _standing(change.old) != _standing(change.new)


def _standing(pod: Object) -> tuple[Any, ...]:
    status = pod.get("status") or {}
    conditions = status.get("conditions") or []
    ready = next((c.get("status") for c in conditions if c.get("type") == "Ready"), None)
    named = [_metadata(pod, name) for name in ("uid", "deletionTimestamp", "labels")]
    return (ready, status.get("phase"), *named)


def _metadata(obj: Object, name: str) -> Any:
    return obj["metadata"].get(name)


def _key(rollout: Object) -> Key:
    return Key(str(rollout["metadata"].get("namespace", "")), str(rollout["metadata"]["name"]))


def _key_of(release: Object) -> Key:
    return Key(str(release["metadata"].get("namespace", "")), str(release["spec"]["rollout"]))
