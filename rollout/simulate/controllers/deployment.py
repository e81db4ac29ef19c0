"""The Deployment loop: which ReplicaSets there are, and how large each is.

It follows the real controller function by function, because releases rest on its fine points: a
paused Deployment makes no new ReplicaSet and goes on scaling the old, and a template that comes
back revives its old ReplicaSet under its old hash.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from rollout.kube.errors import AlreadyExists
from rollout.resources.objects import (
    annotations_of,
    controller_of,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from rollout.resources.writes import Object
from rollout.simulate.controllers import progress, surge
from rollout.simulate.controllers.base import Hands, Key
from rollout.simulate.controllers.claims import claim
from rollout.simulate.controllers.revisions import (
    DESIRED,
    MAXIMUM,
    REVISION,
    annotated,
    by_age,
    fresh_replica_set,
    new_replica_set,
    revision_of,
    same_template,
    size_annotations,
)
from rollout.simulate.names import template_hash
from rollout.simulate.objects import EMPTY, Json, condition_of, dig, drop, put
from rollout.simulate.registry import Edit
from rollout.simulate.selectors import matches_structure
from rollout.simulate.store import Change

DEPLOYMENTS: Final = "deployments.apps"
REPLICA_SETS: Final = "replicasets.apps"
UNLIMITED: Final = 2**31 - 1


class DeploymentController:
    """Keeps the ReplicaSets of each Deployment."""

    def keys(self, change: Change, hands: Hands) -> Iterable[Key]:
        """A Deployment itself, or those that control or could adopt a ReplicaSet."""
        if change.resource == DEPLOYMENTS:
            yield change.namespace, change.name
        elif change.resource == REPLICA_SETS:
            yield from _interested(change, hands)
        elif change.resource == "pods" and change.type == "DELETED":
            yield from _recreating(change, hands)

    def reconcile(self, key: Key, hands: Hands) -> datetime | None:
        """Take the next step of a rolling update, of scaling, or of nothing but counting."""
        deployment = hands.get(DEPLOYMENTS, *key)
        if deployment is None:
            return None
        sync = Sync(deployment, claim(deployment, REPLICA_SETS, hands), hands)
        sync.run()
        return sync.next_look()


def _interested(change: Change, hands: Hands) -> Iterable[Key]:
    for rs in (change.object, change.previous):
        owner = controller_of(rs) if rs is not None else None
        if owner is not None and owner["kind"] == "Deployment":
            yield change.namespace, owner["name"]
    if controller_of(change.object) is None and change.type != "DELETED":
        labels = labels_of(change.object)
        for deployment in hands.all(DEPLOYMENTS, change.namespace):
            if matches_structure(deployment["spec"]["selector"], labels):
                yield change.namespace, name_of(deployment)


def _recreating(change: Change, hands: Hands) -> Iterable[Key]:
    """A Recreate update waits for the last old pod to be gone."""
    owner = controller_of(change.object)
    rs = hands.get(REPLICA_SETS, change.namespace, owner["name"]) if owner is not None else None
    parent = controller_of(rs) if rs is not None else None
    if parent is not None and parent["kind"] == "Deployment":
        yield change.namespace, parent["name"]


class Sync:
    """One look at one Deployment."""

    def __init__(self, deployment: Object, replica_sets: Sequence[Object], hands: Hands) -> None:
        self.deployment = deployment
        self.hands = hands
        self.sets = {uid_of(rs): rs for rs in replica_sets}
        self.newest: Object | None = None

    @property
    def everyone(self) -> list[Object]:
        """All ReplicaSets of the Deployment."""
        return list(self.sets.values())

    @property
    def old(self) -> list[Object]:
        """All but the one with the Deployment's template, oldest first."""
        uid = uid_of(self.newest) if self.newest is not None else None
        return [rs for rs in by_age(self.everyone) if uid_of(rs) != uid]

    @property
    def wanted(self) -> int:
        """The size that the Deployment asks for."""
        replicas: int = self.deployment["spec"]["replicas"]
        return replicas

    def run(self) -> None:
        """Choose what this look is for, as the real controller does."""
        if is_terminating(self.deployment):
            self.newest = new_replica_set(self.deployment, self.everyone)
            self._write_counts()
            return
        self._note_pause()
        self._find_newest(create=False)
        if self.deployment["spec"].get("paused"):
            self._scale()
            self._clean_up()
            self._write_counts()
        elif self._was_scaled():
            self._scale()
            self._write_counts()
        elif surge.is_rolling(self.deployment):
            self._roll()
        else:
            self._recreate()

    def next_look(self) -> datetime | None:
        """A second after the progress deadline, while an update is under way."""
        deployment = self.deployment
        paused = deployment["spec"].get("paused")
        if paused or not progress.has_deadline(deployment):
            return None
        if progress.is_complete(deployment, deployment["status"]):
            return None
        deadline = progress.deadline_of(deployment, deployment["status"])
        return None if deadline is None else deadline + timedelta(seconds=1)

    def _note_pause(self) -> None:
        """Pausing and resuming are conditions, so that waiting does not count as no progress."""
        if not progress.has_deadline(self.deployment):
            return
        known = condition_of(self.deployment, progress.PROGRESSING) or EMPTY
        paused = bool(self.deployment["spec"].get("paused"))
        noted = known.get("reason") == progress.PAUSED
        if known.get("reason") == progress.TIMED_OUT or paused == noted:
            return
        reason, text = (
            (progress.PAUSED, "Deployment is paused")
            if paused
            else ("DeploymentResumed", "Deployment is resumed")
        )
        self._set_progress("Unknown", reason, text)

    def _set_progress(self, status: str, reason: str, text: str) -> None:
        now = self.hands.now()
        new = progress.condition(progress.PROGRESSING, status, reason, text, now)
        self._write_status(progress.with_condition(self.deployment["status"], new))

    def _find_newest(self, *, create: bool) -> None:
        self.newest = new_replica_set(self.deployment, self.everyone)
        revision = max((revision_of(rs) for rs in self.old), default=0) + 1
        if self.newest is not None:
            self._adjust_newest(self.newest, revision)
        elif create:
            self._create_newest(revision)

    def _adjust_newest(self, newest: Object, revision: int) -> None:
        known = annotations_of(newest)
        annotations = annotated(self.deployment, known, revision, exists=True)
        minimum = self.deployment["spec"].get("minReadySeconds", 0)
        if annotations != known or newest["spec"].get("minReadySeconds", 0) != minimum:

            def edit(rs: Object) -> Json:
                rs = put(rs, ("metadata", "annotations"), annotations)
                path = ("spec", "minReadySeconds")
                return put(rs, path, minimum) if minimum else drop(rs, path)

            self._update_set(newest, edit)
            return
        self._set_revision(known.get(REVISION, ""))
        unknown = condition_of(self.deployment, progress.PROGRESSING) is None
        if unknown and progress.has_deadline(self.deployment):
            text = f'Found new replica set "{name_of(newest)}"'
            self._set_progress("True", "FoundNewReplicaSet", text)

    def _set_revision(self, revision: str) -> None:
        if annotations_of(self.deployment).get(REVISION) != revision:
            path = ("metadata", "annotations", REVISION)
            self.deployment = self.hands.update_status(
                DEPLOYMENTS, self.deployment, lambda old: put(old, path, revision)
            )

    def _create_newest(self, revision: int) -> None:
        collisions = self.deployment["status"].get("collisionCount")
        pod_hash = template_hash(self.deployment["spec"]["template"], collisions)
        fresh = fresh_replica_set(self.deployment, pod_hash)
        size = surge.new_size(self.deployment, [*self.old, fresh], fresh)
        annotations = annotated(self.deployment, {}, revision, exists=False)
        fresh = put(
            put(fresh, ("spec", "replicas"), size), ("metadata", "annotations"), annotations
        )
        try:
            created = self.hands.create(REPLICA_SETS, namespace_of(self.deployment), fresh)
        except AlreadyExists:
            self._collide(fresh)
            return
        self.sets[uid_of(created)] = self.newest = created
        if size > 0:
            self._tell(f"Scaled up replica set {name_of(created)} from 0 to {size}")
        self._set_revision(str(revision))
        if progress.has_deadline(self.deployment):
            text = f'Created new replica set "{name_of(created)}"'
            self._set_progress("True", "NewReplicaSetCreated", text)

    def _collide(self, fresh: Object) -> None:
        """Another ReplicaSet has the name: count the collision, and so get another hash."""
        known = self.hands.get(REPLICA_SETS, namespace_of(self.deployment), name_of(fresh))
        owner = controller_of(known) if known is not None else None
        ours = owner is not None and owner["uid"] == uid_of(self.deployment)
        template = self.deployment["spec"]["template"]
        if known is not None and ours and same_template(known["spec"]["template"], template):
            self.sets[uid_of(known)] = self.newest = known
            return
        count = self.deployment["status"].get("collisionCount", 0) + 1
        self._write_status({**self.deployment["status"], "collisionCount": count})
        self._find_newest(create=True)

    def _was_scaled(self) -> bool:
        """Whether an active ReplicaSet was last scaled by another size of the Deployment."""
        for rs in surge.active(self.everyone):
            desired = annotations_of(rs).get(DESIRED, "")
            if desired.isdigit() and int(desired) != self.wanted:
                return True
        return False

    def _scale(self) -> None:
        active = surge.active(self.everyone)
        if len(active) <= 1:
            only = active[0] if active else self.newest or (self.old[-1] if self.old else None)
            if only is not None and only["spec"]["replicas"] != self.wanted:
                self._resize(only, self.wanted)
        elif self._is_saturated():
            for rs in surge.active(self.old):
                self._resize(rs, 0)
        elif surge.is_rolling(self.deployment):
            for rs, size in surge.proportional_sizes(self.deployment, active, MAXIMUM):
                self._resize(rs, size, always=True)

    def _is_saturated(self) -> bool:
        if self.newest is None:
            return False
        sizes = (
            int(annotations_of(self.newest).get(DESIRED, "-1")),
            self.newest["spec"]["replicas"],
            self.newest["status"].get("availableReplicas", 0),
        )
        return all(size == self.wanted for size in sizes)

    def _resize(self, rs: Object, size: int, *, always: bool = False) -> bool:
        """Set a ReplicaSet's size, with `always` also its annotations; says whether it changed."""
        before = rs["spec"]["replicas"]
        annotations = {**annotations_of(rs), **size_annotations(self.deployment)}
        if before == size and (not always or annotations == annotations_of(rs)):
            return False

        def edit(old: Object) -> Json:
            old = put(old, ("metadata", "annotations"), annotations)
            return put(old, ("spec", "replicas"), size)

        self._update_set(rs, edit)
        if before != size:
            way = "up" if before < size else "down"
            self._tell(f"Scaled {way} replica set {name_of(rs)} from {before} to {size}")
        return bool(before != size)

    def _update_set(self, rs: Object, edit: Edit) -> None:
        updated = self.hands.update(REPLICA_SETS, rs, edit)
        self.sets[uid_of(updated)] = updated
        if self.newest is not None and uid_of(self.newest) == uid_of(updated):
            self.newest = updated

    def _roll(self) -> None:
        self._find_newest(create=True)
        resized = self._grow_newest() or self._shrink_old()
        if not resized and progress.is_complete(self.deployment, self.deployment["status"]):
            self._clean_up()
        self._write_progress()

    def _grow_newest(self) -> bool:
        newest = self.newest
        if newest is None or newest["spec"]["replicas"] == self.wanted:
            return False
        if newest["spec"]["replicas"] > self.wanted:
            return self._resize(newest, self.wanted)
        return self._resize(newest, surge.new_size(self.deployment, self.everyone, newest))

    def _shrink_old(self) -> bool:
        newest = self.newest
        if newest is None or surge.asked(self.old) == 0:
            return False
        least = self.wanted - surge.max_unavailable(self.deployment)
        missing = newest["spec"]["replicas"] - newest["status"].get("availableReplicas", 0)
        budget = surge.asked(self.everyone) - least - missing
        if budget <= 0:
            return False
        cleaned = self._drop_unavailable(budget)
        surplus = surge.counted(self.everyone, "availableReplicas") - least
        return self._drop_available(surplus) or cleaned

    def _drop_unavailable(self, budget: int) -> bool:
        """Old pods that serve nobody go first."""
        done = 0
        for rs in surge.active(self.old):
            idle = rs["spec"]["replicas"] - rs["status"].get("availableReplicas", 0)
            count = min(budget - done, idle)
            if count > 0:
                self._resize(rs, rs["spec"]["replicas"] - count)
                done += count
        return done > 0

    def _drop_available(self, surplus: int) -> bool:
        done = 0
        for rs in surge.active(self.old):
            count = min(rs["spec"]["replicas"], surplus - done)
            if count > 0:
                self._resize(rs, rs["spec"]["replicas"] - count)
                done += count
        return done > 0

    def _recreate(self) -> None:
        shrunk = [self._resize(rs, 0) for rs in surge.active(self.old)]
        if any(shrunk) or self._old_pods_run():
            self._write_progress()
            return
        if self.newest is None:
            self._find_newest(create=True)
        if self.newest is not None:
            self._resize(self.newest, self.wanted)
        if progress.is_complete(self.deployment, self.deployment["status"]):
            self._clean_up()
        self._write_progress()

    def _old_pods_run(self) -> bool:
        if surge.counted(self.old, "replicas") > 0:
            return True
        return any(
            dig(pod, "status", "phase") not in ("Succeeded", "Failed")
            for rs in self.old
            for pod in self.hands.dependents(rs, "pods")
        )

    def _clean_up(self) -> None:
        """Delete the oldest empty ReplicaSets beyond the history that is kept."""
        limit = self.deployment["spec"].get("revisionHistoryLimit", UNLIMITED)
        spare = [rs for rs in self.old if not is_terminating(rs)]
        for rs in sorted(spare, key=revision_of)[: max(len(spare) - limit, 0)]:
            observed = rs["status"].get("observedGeneration", 0)
            current = rs["metadata"]["generation"] <= observed
            if current and not rs["status"]["replicas"] and not rs["spec"]["replicas"]:
                self.hands.delete(REPLICA_SETS, rs)
                del self.sets[uid_of(rs)]

    def _write_counts(self) -> None:
        now = self.hands.now()
        self._write_status(progress.counts(self.deployment, self.everyone, self.newest, now))

    def _write_progress(self) -> None:
        now = self.hands.now()
        self._write_status(progress.estimated(self.deployment, self.everyone, self.newest, now))

    def _write_status(self, status: Object) -> None:
        if status != self.deployment["status"]:
            self.deployment = self.hands.update_status(
                DEPLOYMENTS, self.deployment, lambda old: {**old, "status": status}
            )

    def _tell(self, note: str) -> None:
        self.hands.event(self.deployment, "ScalingReplicaSet", note)
