"""One pass over a Rollout: observe, plan, execute, record. Level-based: no event is asked.

A pass never waits: for metrics it takes what is known, and for time to go by it says when to look
again. Whatever fails ends up as a sentence on the Release, a count, and another try later.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import structlog
from pydantic import ValidationError

from rollout.analysis.evidence import Evidence
from rollout.analysis.evidence_json import encode
from rollout.controller.collect import Hearing
from rollout.controller.execute import Outcome, execute, named
from rollout.controller.fence import Fence
from rollout.controller.follow import Heard
from rollout.controller.metrics import Metrics
from rollout.controller.observe import Observer, to_decide
from rollout.controller.queue import Key
from rollout.controller.record import Record, is_contested, said
from rollout.controller.rollouts import (
    beyond_history,
    left_held,
    let_go,
    next_release,
    rollout_status,
    status_patch,
)
from rollout.controller.writer import LeaseLostError, Writer
from rollout.engine.plan import Plan
from rollout.engine.snapshot import Snapshot
from rollout.engine.trigger import Tending
from rollout.kube.errors import ClusterError, NotFound
from rollout.resources.release import Phase, Release
from rollout.resources.writes import Delete, Object
from rollout.translation.objects import Objects
from rollout.translation.snapshots import snapshot
from rollout.translation.tending import tended

log = structlog.get_logger(__name__)

Decide: TypeAlias = Callable[[Snapshot, datetime], Plan]

SHORTEST_WAIT: Final = timedelta(seconds=0.2)
"""A moment that is over already is no reason to spin: something else must happen first."""


@dataclass(frozen=True)
class Result:
    """What came of a pass."""

    written: bool = False
    """Something was done: look again at once, the world has changed."""
    look_again: datetime | None = None
    errors: tuple[Exception, ...] = ()
    back: bool = False
    """The release goes back: what follows is not behind ordinary work."""

    def plus(self, other: "Result") -> "Result":
        """Give the result of two parts of one pass."""
        moments = [m for m in (self.look_again, other.look_again) if m is not None]
        return Result(
            self.written or other.written,
            min(moments, default=None),
            (*self.errors, *other.errors),
            self.back or other.back,
        )

    @property
    def error(self) -> Exception | None:
        """The first thing that went wrong; that somebody was faster is not wrong."""
        return next((error for error in self.errors if not is_contested(error)), None)

    @property
    def contested(self) -> bool:
        """Whether somebody else wrote first."""
        return any(map(is_contested, self.errors))


@dataclass(frozen=True)
class Reconciler:
    """Carries out passes."""

    observer: Observer
    decide: Decide
    writer: Writer
    fence: Fence
    record: Record
    hearing: Hearing
    metrics: Metrics
    now: Callable[[], datetime]

    def reconcile(self, key: Key) -> Result:
        """Look at every Release of a Rollout that has not ended, then at the Rollout itself.

        The Rollout waits for a pass in which nothing was written: after one that wrote another
        follows at once. Raises LeaseLostError as soon as this process does not lead any more,
        else nothing.
        """
        result = Result()
        with structlog.contextvars.bound_contextvars(rollout=str(key)):
            for release in to_decide(self.observer.releases(key)):
                result = result.plus(self._guarded(key, release))
            return result if result.written else result.plus(self._tended(key))

    def _guarded(self, key: Key, release: Object) -> Result:
        """One Release that nobody can read must not keep another from going back."""
        name = str(release["metadata"]["name"])
        with structlog.contextvars.bound_contextvars(release=name):
            try:
                return self._pass(key, release)
            except LeaseLostError:
                raise
            except Exception as error:  # noqa: BLE001 - the last net: said, counted, tried again
                return self._failed(release, error, "the pass")

    def _pass(self, key: Key, raw: Object) -> Result:
        release = Release.model_validate(raw)
        self.hearing.attend(release)
        heard = self.hearing.heard(release)
        seen = self.fence.around(self.observer.objects(key, raw))
        objects = replace(seen, verdict=heard.verdict)
        plan = self.decide(snapshot(_with_evidence(objects, heard)), self.now())
        outcome = execute(plan.actions, objects, self.writer)
        if outcome.lost:
            raise LeaseLostError from outcome.error
        recorded = self.record.write(seen.release, plan, outcome)
        self.fence.began(raw, recorded.release)
        self._attend(recorded.release)
        self._say(plan, outcome, moved=recorded.written)
        return self._result(plan, outcome, recorded.due)

    def _attend(self, release: Object) -> None:
        """Metrics follow the new stage now, not at the next pass."""
        self.hearing.attend(Release.model_validate(release))

    def _result(self, plan: Plan, outcome: Outcome, due: datetime | None) -> Result:
        if outcome.error is not None:
            if not outcome.contested:
                self._count(outcome.error, "execute")
            return Result(errors=(outcome.error,))
        back = plan.status.phase is Phase.ROLLING_BACK
        soonest = self.now() + SHORTEST_WAIT
        moments = [moment for moment in (plan.look_again, due) if moment is not None]
        moment = max(min(moments), soonest) if moments else None
        return Result(outcome.written > 0, moment, back=back)

    def _failed(self, release: Object, error: Exception, doing: str) -> Result:
        """Say on the Release what failed, where that is possible."""
        if is_contested(error):
            return Result(errors=(error,))
        self._count(error, doing)
        _complain("a pass failed", error)
        try:
            self.record.failed(release, error, doing)
        except LeaseLostError:
            raise
        except Exception as second:  # noqa: BLE001 - the first error is the one that is told
            log.warning("the failure could not be recorded", why=str(second))
        return Result(errors=(error,))

    def _count(self, error: Exception, where: str) -> None:
        self.metrics.errors.labels(type(error).__name__, where).inc()

    def _say(self, plan: Plan, outcome: Outcome, *, moved: bool) -> None:
        done = [named(action) for action in outcome.done]
        told = {"phase": str(plan.status.phase), "did": done, "sentence": plan.status.message}
        if outcome.error is not None and not outcome.contested:
            failed = named(outcome.failed) if outcome.failed is not None else ""
            log.warning("an action failed", action=failed, why=str(outcome.error), did=done)
        elif done:
            log.info("pass", **told)
        else:
            log.debug("pass", **told, written=moved)

    def _tended(self, key: Key) -> Result:
        """Keep the Rollout's own status, finalizers and history."""
        try:
            return self._tend(key)
        except LeaseLostError:
            raise
        except Exception as error:  # noqa: BLE001 - as above, for the Rollout's own status
            if not is_contested(error):
                self._count(error, "the Rollout")
                _complain("a Rollout could not be tended", error)
            return Result(errors=(error,))

    def _tend(self, key: Key) -> Result:
        rollout, releases = self.observer.rollout(key), self.observer.releases(key)
        held = left_held(rollout, releases)
        for patch in held:
            self.writer.apply(patch)
        if rollout is None or held:
            return Result(written=bool(held))
        objects = self.observer.objects(key, next_release(rollout))
        tending, result = self._idle(objects, releases)
        rollout = self.observer.rollout(key)
        if rollout is None or let_go(rollout):
            return result
        status = rollout_status(rollout, releases, objects, self.now(), tending)
        patch_ = status_patch(rollout, status)
        if patch_ is not None:
            self.writer.apply(patch_)
        for delete in beyond_history(rollout, releases):
            self._delete(delete)
        return result

    def _idle(self, objects: Objects, releases: tuple[Object, ...]) -> tuple[Tending, Result]:
        """Do what a Rollout does while no release of it runs; what fails is raised."""
        view, tending = tended(objects, releases, self.now())
        if not tending.actions:
            return tending, Result(look_again=tending.look_again)
        outcome = execute(tending.actions, view, self.writer)
        if outcome.error is not None:
            raise outcome.error
        self.record.tell(objects.rollout or {}, tending.events)
        return tending, Result(written=outcome.written > 0)

    def _delete(self, delete: Delete) -> None:
        try:
            self.writer.apply(delete)
        except NotFound:
            return  # somebody else has cleaned up


def _complain(what: str, error: Exception) -> None:
    """Log an error; a cluster's answer and a bad object need no stack to be understood."""
    known = isinstance(error, ClusterError | ValidationError)
    log.error(what, why=said(error), exc_info=None if known else error)


def _with_evidence(objects: Objects, heard: Heard) -> Objects:
    """Show the decision what was counted so far, so that it is stored with every status."""
    if heard.evidence is None or heard.evidence == Evidence():
        return objects
    status = {**(objects.release.get("status") or {}), "evidence": encode(heard.evidence)}
    return replace(objects, release={**objects.release, "status": status})
