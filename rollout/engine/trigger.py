"""`trigger: Template`: what a Rollout does while no release runs. Pure and level-based.

The target stays paused with the template that serves. Any other template that somebody puts there
rolls nowhere: it becomes a release, unless it is one that was taken back. What the target's owner
had is written down before the first pause, and given back when the Rollout goes, or goes back to
`trigger: Command`: unless that would roll out what nobody has judged.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from rollout.engine.admission import objections, unsettled
from rollout.engine.facts import fingerprint, same, untracked
from rollout.engine.plan import (
    Action,
    AddFinalizer,
    CreateRelease,
    Event,
    PauseTarget,
    RemoveFinalizer,
    RestoreService,
    RestoreTarget,
    WriteRollout,
)
from rollout.engine.saving import hashes
from rollout.engine.snapshot import DeploymentView, ServiceView, Snapshot
from rollout.resources.names import part_of_name
from rollout.resources.rollout import Held, Rejected, Rollout
from rollout.resources.words import RESTORE_FINALIZER, RETRY
from rollout.resources.writes import Kind

LOOK_AGAIN: Final = timedelta(seconds=5)
"""What stands against a release may pass without any change that wakes an idle Rollout."""
SHORTEST_HASH: Final = 8


@dataclass(frozen=True)
class Tending:
    """What is done for a Rollout while no release runs, and the sentence that says so."""

    actions: tuple[Action, ...] = ()
    reason: str = ""
    message: str = ""
    events: tuple[Event, ...] = ()
    look_again: datetime | None = None


def tend(snapshot: Snapshot, names: frozenset[str], now: datetime) -> Tending:
    """Decide for a Rollout of which no release is open.

    The snapshot is that of the release that the target's own template would be. `names`: of all
    Releases there are, so that a new one gets a name of its own.
    """
    rollout, target = snapshot.rollout, snapshot.target
    narrowed = _left_narrowed(snapshot) if rollout is not None and names else None
    if rollout is None or narrowed is not None:
        return narrowed or Tending()
    if rollout.metadata.deletion_timestamp is not None or not rollout.spec.by_template:
        return let_go(snapshot)
    held = rollout.status.held
    if target is None or (held is not None and held.uid != target.uid):
        return _forget(rollout)
    if any(rival.kind == "Rollout" for rival in snapshot.rivals):
        return Tending()  # it is another Rollout's: the condition says so
    if not _is_held(rollout, target):
        return _hold(snapshot, rollout, target, now)
    return _watch(snapshot, rollout, target) or _release(snapshot, target, names, now)


def _left_narrowed(snapshot: Snapshot) -> Tending | None:
    """Widen a Service that selects one hash of the target's while nothing runs.

    A tool that writes back what it has seen, as Argo CD does with what it ignores, may do so just
    after the release has given the Service its own selector back. The next change of the template
    would leave such a Service without pods. Not asked before the first release: such a selector
    can then only be the owner's.
    """
    left = [s for s in snapshot.services if s.saved is None and s.pinned in hashes(snapshot.target)]
    if not left:
        return None
    events = tuple(Event("SelectorLeft", _narrow(service), warning=True) for service in left)
    actions = tuple(RestoreService(service.name) for service in left)
    return Tending(actions, "Settling", events[0].message, events)


def _narrow(service: ServiceView) -> str:
    who = service.changed_by or "somebody"
    return (
        f"Service {service.name} was narrowed to {service.pinned} by {who} while no release runs: "
        "it has its own selector again"
    )


def _is_held(rollout: Rollout, target: DeploymentView) -> bool:
    noted = rollout.status.held is not None and target.saved is not None
    return noted and target.paused and RESTORE_FINALIZER in rollout.metadata.finalizers


def _forget(rollout: Rollout) -> Tending:
    """The target is gone or another one: nothing is held any more."""
    if rollout.status.held is None:
        return Tending()
    return Tending((WriteRollout(None, None), *_freed(rollout)))


def _finalizer(rollout: Rollout) -> tuple[Action, ...]:
    there = RESTORE_FINALIZER in rollout.metadata.finalizers
    return () if there else (AddFinalizer(Kind.ROLLOUT, rollout.metadata.name),)


def _freed(rollout: Rollout) -> tuple[Action, ...]:
    there = RESTORE_FINALIZER in rollout.metadata.finalizers
    return (RemoveFinalizer(Kind.ROLLOUT, rollout.metadata.name),) if there else ()


def serves(target: DeploymentView, rejected: Rejected | None = None) -> bool:
    """Whether the target's template is what its pods have, so that unpausing rolls nothing.

    Without pods it is one that has had some, and was not taken back.
    """
    if target.populated:
        alone = len(target.populated) == 1
        return alone and same(target.populated[0].template, target.template)
    refused = rejected is not None and rejected.template_hash == fingerprint(target.template)
    return not refused and any(same(p.template, target.template) for p in target.pod_sets)


def _hold(snapshot: Snapshot, rollout: Rollout, target: DeploymentView, now: datetime) -> Tending:
    """Pause the target once it has settled; what its owner had is written down first (I5)."""
    against = _not_settled(snapshot, target)
    if against:
        return Tending(reason="Settling", message=against, look_again=now + LOOK_AGAIN)
    known = rollout.status.held
    noted = (target.saved or {}).get("spec.paused", target.paused)
    held = known or Held(deployment=target.name, uid=target.uid, paused=bool(noted))
    actions = [
        *([WriteRollout(held, rollout.status.rejected)] if known is None else []),
        *_finalizer(rollout),
        PauseTarget(),
    ]
    event = _told(rollout, target)
    return Tending(tuple(actions), "Settling", event.message, (event,))


def _not_settled(snapshot: Snapshot, target: DeploymentView) -> str:
    """Say what the pause waits for; a target that is paused already waits for nothing."""
    if target.paused:
        return ""
    against = unsettled(snapshot) if target.replicas > 0 or target.populated else []
    if not against and target.observed and serves(target):
        return ""
    default = f"Deployment {target.name} rolls by itself: it is paused when that is over"
    return against[0].message if against else default


def _told(rollout: Rollout, target: DeploymentView) -> Event:
    if rollout.status.held is None or target.paused:
        told = f"Deployment {target.name} is paused: a change of its template becomes a release"
        return Event("TargetHeld", told)
    who = target.changed_by or "somebody"
    told = f"Deployment {target.name} was unpaused by {who}: paused again (trigger Template)"
    return Event("TargetUnpaused", told, warning=True)


def _watch(snapshot: Snapshot, rollout: Rollout, target: DeploymentView) -> Tending | None:
    """Say what the target's template waits for; None when it is to be released."""
    hash_, rejected = fingerprint(target.template), rollout.status.rejected
    served = serves(target, rejected)
    if rejected is not None and (rejected.template_hash != hash_ or served):
        return Tending((WriteRollout(rollout.status.held, None),))
    if rejected is not None and not _retried(rollout, rejected):
        return Tending(reason="TemplateRejected", message=_taken_back(snapshot, rejected))
    if not served:
        return None
    told = f"waits for a change of the template of Deployment {target.name}"
    return Tending(reason="WaitsForTemplate", message=told)


def _retried(rollout: Rollout, rejected: Rejected) -> bool:
    """Whether somebody wants the template tried once more who can write to nothing but the Rollout.

    The next attempt is another Release: whoever takes that one back is not retried by this.
    """
    return rollout.metadata.annotations.get(RETRY) == rejected.release


def _taken_back(snapshot: Snapshot, rejected: Rejected) -> str:
    return (
        f"{snapshot.image or 'the template'} was taken back ({rejected.release}) and waits on the "
        f"paused Deployment {snapshot.target_name}: it is released when the template changes, or "
        "by `rollout retry`"
    )


def _release(
    snapshot: Snapshot, target: DeploymentView, names: frozenset[str], now: datetime
) -> Tending:
    """Make a release of a template that does not serve, as soon as nothing stands against it."""
    against = objections(snapshot)
    if against:
        first = against[0]
        return Tending(reason=first.reason, message=first.message, look_again=now + LOOK_AGAIN)
    rollout = snapshot.release.spec.rollout
    name = release_name(rollout, snapshot.image, fingerprint(target.template), names)
    who = f" by {target.edited_by}" if target.edited_by else ""
    told = f"the template of Deployment {target.name} was changed{who}: released as {name}"
    created = CreateRelease(
        name, untracked(target.template), target.edited_by, "the template was changed"
    )
    return Tending((created,), "Releasing", told, (Event("TemplateChanged", told),))


def release_name(rollout: str, image: str, hash_: str, names: frozenset[str]) -> str:
    """Give the release of a template its name: the same for everyone who looks at the same."""
    last = image.partition("@")[0].rpartition("/")[2].rpartition(":")[2]
    parts = (part_of_name(rollout), part_of_name(last), hash_[:SHORTEST_HASH])
    base = "-".join(part for part in parts if part)
    earlier = [n for n in names if n == base or re.fullmatch(rf"{re.escape(base)}-\d+", n)]
    numbers = [int(name[len(base) + 1 :] or 1) for name in earlier]
    return f"{base}-{max(numbers) + 1}" if numbers else base


def let_go(snapshot: Snapshot, *, for_good: bool = False) -> Tending:
    """Give the target back; one with a template that does not serve stays paused.

    `for_good`: the Rollout has another target by now, and will not come back to this one.
    """
    rollout, target = snapshot.rollout, snapshot.target
    if rollout is None:
        return Tending()
    held = rollout.status.held
    if snapshot.namespace_terminating or held is None:
        return Tending(_freed(rollout))
    if target is None or target.uid != held.uid or not _bears(target, held):
        return _forget(rollout)
    if serves(target, rollout.status.rejected):
        event = Event("TargetGivenBack", f"Deployment {target.name} is given back")
        return Tending((RestoreTarget(),), events=(event,))
    told = _left_paused(target.name)
    left = (Event("TargetLeftPaused", told, warning=True),)
    forgotten = (WriteRollout(None, None),) if for_good else ()
    return Tending((*forgotten, *_freed(rollout)), "TargetLeftPaused", told, left)


def _bears(target: DeploymentView, held: Held) -> bool:
    """Whether the target still bears something of ours."""
    return target.saved is not None or target.paused != held.paused


def _left_paused(name: str) -> str:
    return (
        f"Deployment {name} stays paused, because its template is not the one that serves: "
        f"release it (`rollout start`), set the earlier one, or let it roll without us "
        f"(`kubectl rollout resume deployment/{name}`)"
    )
