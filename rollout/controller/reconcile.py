"""One pass for one Rollout: observe, plan, execute, record. Level-based: no event is asked."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import structlog

from rollout.controller.caches import Caches
from rollout.controller.clock import Clock, utc_now
from rollout.controller.collect import Collector
from rollout.controller.execute import Executor, LeaseLostError, Outcome
from rollout.controller.metrics import Telemetry
from rollout.controller.queue import Key, WorkQueue
from rollout.controller.record import rollout_patch, rollout_status, status_after, too_old
from rollout.engine.plan import Plan
from rollout.engine.planner import plan
from rollout.kube.errors import AlreadyExists, ClusterError, Conflict, NotFound
from rollout.kube.events import EventLevel, Recorder
from rollout.resources.release import Phase, Release
from rollout.resources.writes import Kind, Object
from rollout.translation.objects import Objects
from rollout.translation.snapshots import snapshot
from rollout.translation.writes import status_patch

log = structlog.get_logger(__name__)

STALE: Final = (Conflict, NotFound, AlreadyExists)
"""Refusals that say that we looked at an old state: no error, just look again."""
SOON: Final = 0.05


@dataclass(frozen=True)
class Reconciler:
    """Carries out passes."""

    caches: Caches
    collector: Collector
    executor: Executor
    recorder: Recorder
    queue: WorkQueue
    clock: Clock
    telemetry: Telemetry

    def reconcile(self, key: Key) -> None:
        """Look at every release of a Rollout that has not ended, and do what is to be done.

        Raises LeaseLostError when the lease is lost in between.
        """
        for release in self._open_releases(key):
            self._one(key, release)
        self._idle(key)

    def _open_releases(self, key: Key) -> Iterator[Object]:
        namespace, rollout = key
        releases = [
            raw
            for raw in self.caches.list(Kind.RELEASE, namespace)
            if raw["spec"]["rollout"] == rollout and not _ended(raw)
        ]
        yield from sorted(releases, key=_order)

    def _one(self, key: Key, raw: Object) -> None:
        release = Release.model_validate(raw)
        with structlog.contextvars.bound_contextvars(
            namespace=key[0], rollout=key[1], release=release.metadata.name
        ):
            objects = self.caches.objects(raw, verdict=self.collector.verdict(release))
            now = utc_now()
            made = plan(snapshot(objects), now)
            outcome = self.executor.carry_out(made, objects)
            self._tell(release, made, outcome)
            self._record(release, made, outcome)
            self._again(key, made, outcome)

    def _tell(self, release: Release, made: Plan, outcome: Outcome) -> None:
        if outcome.error is not None and outcome.done == 0:
            return
        for event in made.events:
            level = EventLevel.WARNING if event.warning else EventLevel.NORMAL
            note = event.message
            self.recorder.record(outcome.objects.release, event.reason, note, level=level)
            log.info("event", reason=event.reason, message=note, phase=str(made.status.phase))
        if made.status.phase is not release.status.phase:
            self.telemetry.entered(str(made.status.phase))

    def _record(self, release: Release, made: Plan, outcome: Outcome) -> None:
        evidence = self.collector.evidence(release.metadata.uid)
        status = status_after(outcome, made, evidence, utc_now())
        objects = outcome.objects
        if isinstance(outcome.error, STALE):
            return
        try:
            write = status_patch(objects.release, status) if status is not None else None
            if write is not None:
                objects = objects.replace(self.executor.write(write))
            self._record_rollout(objects)
        except STALE:
            self.clock.soon((release.metadata.namespace, release.spec.rollout), SOON)

    def _record_rollout(self, objects: Objects) -> None:
        status = Release.model_validate(objects.release).status
        resolved = status.resolved
        stable = None
        if resolved is not None:
            won = status.phase is Phase.SUCCEEDED
            stable = _tag(resolved.image if won else resolved.stable_image)
        wanted = rollout_status(objects, stable)
        if wanted is not None and objects.rollout is not None:
            self.executor.write(rollout_patch(objects.rollout, wanted))

    def _again(self, key: Key, made: Plan, outcome: Outcome) -> None:
        if isinstance(outcome.error, STALE):
            self.clock.soon(key, SOON)
        elif outcome.error is not None:
            self.telemetry.failed("write")
            log.warning("a write failed", action=repr(outcome.failed), why=str(outcome.error))
            self.clock.soon(key, self.queue.failed(key))
        else:
            self.queue.succeeded(key)
            if outcome.done:
                self.queue.add(key)
            elif made.look_again is not None:
                self.clock.at(key, made.look_again)

    def _idle(self, key: Key) -> None:
        """Keep the history short, once nothing is going on."""
        namespace, name = key
        rollout = self.caches.get(Kind.ROLLOUT, namespace, name)
        releases = self.caches.list(Kind.RELEASE, namespace)
        if rollout is None or not releases:
            return
        for write in too_old(Objects(release=releases[0], rollout=rollout, releases=releases)):
            try:
                self.executor.write(write)
            except ClusterError as error:
                log.info("an old release stays", release=write.name, why=str(error))


def _ended(release: Object) -> bool:
    phase = (release.get("status") or {}).get("phase") or Phase.PENDING
    return Phase(phase).ended


def _order(release: Object) -> tuple[bool, str, str]:
    status = release.get("status") or {}
    metadata = release["metadata"]
    begun = "resolved" in status
    return not begun, str(metadata.get("creationTimestamp", "")), str(metadata["name"])


def _tag(image: str) -> str:
    last = image.rpartition("/")[2]
    return last.partition(":")[2] or image


__all__ = ["LeaseLostError", "Reconciler"]
