"""The way back: traffic first, then the drain, then pods, then what the user owned.

Every traffic write on this way carries the latch, so that a controller that starts anew goes on
going back even when status could not be written.
"""

from rollout.engine.draft import Draft, Need, drained
from rollout.engine.facts import (
    by_template,
    candidate_alive,
    candidate_ready,
    candidate_template,
    drain,
    edited,
    foreign_ready,
    in_place,
    on_candidate,
    ready_of,
    same,
    stable_pods,
    widened,
)
from rollout.engine.giving_back import (
    candidate_gone,
    finalizers_gone,
    preview_restored,
    routes_gone,
    services_restored,
    side_services_gone,
    taken_over,
    target_restored,
)
from rollout.engine.plan import (
    Action,
    Enter,
    LatchCandidate,
    LatchTarget,
    PauseTarget,
    Select,
    SetWeight,
    UnpauseTarget,
    WriteTemplate,
)
from rollout.engine.rejecting import remembered
from rollout.engine.snapshot import DeploymentView, PodSet, RouteView, ServiceView
from rollout.resources.release import Ending, Phase


def go_back(draft: Draft, phase: Phase, reason: str, message: str) -> bool:
    """Turn round: move traffic off the candidate, then write down that the release goes back.

    Returns False, so that a need can end with it.
    """
    if adopting(draft):
        draft.mark("written")
    draft.update(ending=Ending(phase=phase, reason=reason, message=message))
    draft.do(*retreat(draft))
    draft.unmark("retreated", "left")
    draft.weigh(0)
    draft.enter(
        Phase.ROLLING_BACK,
        "RollingBack",
        message,
        paused_from=None,
    )
    return False


def retreat(draft: Draft) -> list[Action]:
    """Say the writes that take the candidate's traffic away, those that matter most first."""
    snapshot, status = draft.snapshot, draft.status
    moves: list[Action] = []
    if adopting(draft):
        moves += [] if in_place(snapshot) else _off_target(draft)
    elif (home := home_hash(draft)) is not None:
        moved = [*on_candidate(snapshot, status), *widened(snapshot)]
        moves += [Select(service.name, home, latch=True) for service in moved]
    moves += [SetWeight(route.ingress, 0, latch=True) for route in may_be_silenced(draft)]
    return moves


def may_be_silenced(draft: Draft) -> list[RouteView]:
    """Return routes that give the candidate a share which somebody else can take (I1)."""
    weighted = [r for r in draft.snapshot.routes if r.exists and r.weight > 0]
    alone = candidate_ready(draft.snapshot, draft.status) > 0 and not stable_side_ready(draft)
    return [] if alone else weighted


def stable_side_ready(draft: Draft) -> bool:
    """Whether the Services have a ready pod to send requests to."""
    return all(
        service.pinned is None or ready_of(draft.snapshot, service.pinned) > 0
        for service in draft.snapshot.services
    )


def _off_target(draft: Draft) -> list[Action]:
    """In Adopting: back to the candidate; without one that is ready, to stable's last pods."""
    snapshot, hashes = draft.snapshot, draft.status.hashes
    if hashes.candidate is not None and ready_of(snapshot, hashes.candidate) > 0:
        moved = [s for s in snapshot.services if s.pinned == hashes.adopted]
        return [Select(service.name, hashes.candidate, latch=True) for service in moved]
    stable = stable_pods(snapshot, draft.status)
    if stable is None or stable.ready == 0:
        return []
    held: list[Action] = [PauseTarget()] if snapshot.target and not snapshot.target.paused else []
    moved = [s for s in snapshot.services if s.pinned != stable.hash]
    return [*held, *(Select(service.name, stable.hash, latch=True) for service in moved)]


def adopting(draft: Draft) -> bool:
    """Whether the target has been given the candidate's template, so that stable is not whole."""
    target, resolved = draft.snapshot.target, draft.status.resolved
    if target is None or resolved is None or target.uid != resolved.deployment_uid:
        return False
    if draft.marked("written") is not None:
        return True
    if by_template(draft.status):
        return False  # the target may have had it from the beginning, and does not roll to it
    released = same(target.template, candidate_template(draft.snapshot, draft.status))
    return released and not same(target.template, resolved.stable_template)


def home_hash(draft: Draft) -> str | None:
    """Return the hash that all traffic goes back to; None while none has ready pods (I1, I9).

    After a takeover the target rolls as somebody else wants it to: a candidate that serves goes
    on until those pods are whole; else the larger of its two sets serves.
    """
    stable = stable_pods(draft.snapshot, draft.status)
    other = foreign_ready(draft.snapshot, draft.status)
    if taken_over(draft):
        return _of_taken_over(draft, stable, other)
    if stable is not None and stable.ready > 0:
        return stable.hash
    return other.hash if other else None


def _of_taken_over(draft: Draft, stable: PodSet | None, other: PodSet | None) -> str | None:
    target = draft.snapshot.target
    if target is not None and other is not None and other.ready >= target.replicas:
        return other.hash
    serving = on_candidate(draft.snapshot, draft.status)
    if serving and candidate_ready(draft.snapshot, draft.status) > 0:
        return None
    sets = [pods for pods in (stable, other) if pods is not None and pods.ready > 0]
    largest = max(sets, key=lambda pods: pods.ready, default=None)
    return largest.hash if largest else None


def latched(draft: Draft) -> bool:
    """Put the latch on what has none yet: nothing is undone before it is there."""
    snapshot, uid = draft.snapshot, draft.snapshot.release.metadata.uid
    if draft.status.resolved is None:
        return True
    before = len(draft.actions)
    if draft.marked("latched") is not None:
        return True
    draft.mark("latched")
    if snapshot.target is not None and snapshot.target.latch != uid and snapshot.target.saved:
        draft.do(LatchTarget())
    if snapshot.candidate is not None and snapshot.candidate.latch != uid:
        draft.do(LatchCandidate())
    for service in snapshot.every_service:
        if service.latch != uid and service.pinned is not None:
            draft.do(Select(service.name, service.pinned, latch=True))
    for route in snapshot.routes:
        if route.exists and route.latch != uid:
            draft.do(SetWeight(route.ingress, 0, latch=True))
    return len(draft.actions) == before


def target_whole(draft: Draft) -> bool:
    """Give the target stable's template back and let it roll, while the candidate serves.

    In place the target itself serves, and goes back as it came.
    """
    target, status = draft.snapshot.target, draft.status
    if target is None or status.resolved is None or not adopting(draft):
        return True
    if draft.marked("returned") is not None:
        return True
    if not in_place(draft.snapshot) and not _left_target(draft):
        return False
    stable = status.resolved.stable_template
    if not same(target.template, stable):
        keep_edit(draft)
        keep_own(draft)
        draft.do(WriteTemplate(stable))
        return draft.wait("RestoringTemplate", f"giving {target.name} its earlier template back")
    pods = stable_pods(draft.snapshot, status)
    if target.complete and pods is not None and pods.ready >= target.replicas:
        return _returned(draft, target)
    if target.paused:
        draft.do(UnpauseTarget())
    return draft.wait(
        "RestoringPods",
        f"{target.name} brings back the stable version: "
        f"{pods.ready if pods else 0} of {target.replicas} pods are ready",
    )


def _returned(draft: Draft, target: DeploymentView) -> bool:
    """Note that stable is whole; with trigger Template the target stays paused from here."""
    if by_template(draft.status) and not target.paused:
        draft.do(PauseTarget())
        return draft.wait("PausingTarget", f"pausing Deployment {target.name}")
    draft.mark("returned")
    return True


def keep_own(draft: Draft) -> None:
    """With trigger Template: write down what its owner had on the target, to give it back."""
    target = draft.snapshot.target
    if target is not None and by_template(draft.status) and draft.status.displaced_edit is None:
        draft.update(displaced_edit=dict(target.template))
        draft.do(Enter(draft.status))


def keep_edit(draft: Draft) -> None:
    """Write an edit down before it is replaced, so that it is never lost (I5)."""
    target = draft.snapshot.target
    if target is not None and edited(draft.snapshot, draft.status):
        draft.update(displaced_edit=dict(target.template))
        draft.do(Enter(draft.status))


def _left_target(draft: Draft) -> bool:
    """Have no request go to the target's own new pods before they are replaced."""
    snapshot, hashes = draft.snapshot, draft.status.hashes
    on_it = [s for s in snapshot.services if s.pinned == hashes.adopted is not None]
    if on_it and hashes.candidate is not None and ready_of(snapshot, hashes.candidate) > 0:
        draft.do(*(Select(service.name, hashes.candidate, latch=True) for service in on_it))
        draft.unmark("left")
        return draft.wait("MovingTraffic", "the Services return to the candidate")
    if hashes.adopted is None or draft.expired(draft.mark("left"), drain(snapshot)):
        return True
    return draft.wait("Draining", "the Services are back on the candidate; waiting for routers")


def traffic_home(draft: Draft) -> bool:
    """Have no request go to the candidate, and let routers follow."""
    snapshot = draft.snapshot
    weighted = [r for r in snapshot.routes if r.exists and r.weight > 0]
    if snapshot.target is None:
        return _handed_back(draft, weighted)
    draft.do(*(SetWeight(route.ingress, 0, latch=True) for route in may_be_silenced(draft)))
    astray = [s for s in snapshot.services if _astray(draft, s)]
    home = home_hash(draft)
    if home is not None:
        draft.do(*(Select(service.name, home, latch=True) for service in astray))
    elif astray:
        return _stable_awaited(draft)
    if weighted and not may_be_silenced(draft):
        return _stable_awaited(draft)
    draft.drop_condition("StableReady")
    if astray or weighted:
        draft.unmark("retreated")
        return draft.wait("MovingTraffic", "moving all traffic back to the stable version")
    return drained(draft, "retreated", "no traffic is sent to the candidate")


def _stable_awaited(draft: Draft) -> bool:
    draft.condition(
        "StableReady",
        holds=False,
        reason="NoReadyPods",
        message="no pod of the stable version is ready: traffic stays until one is",
    )
    return draft.wait("WaitingForStable", "waiting for a ready pod of the stable version")


def _handed_back(draft: Draft, weighted: list[RouteView]) -> bool:
    """Without a target there is no home: the Services get their own selectors before all else."""
    if not services_restored(draft):
        return False
    draft.do(*(SetWeight(route.ingress, 0, latch=True) for route in weighted))
    if weighted:
        return draft.wait("MovingTraffic", "the target is gone: the candidate's share ends")
    return drained(draft, "retreated", "the Services have their own selectors")


def _astray(draft: Draft, service: ServiceView) -> bool:
    """Whether a Service may still send requests to the candidate, or to nobody."""
    snapshot, status = draft.snapshot, draft.status
    if service.pinned is None:
        return candidate_alive(snapshot) > 0
    if service.pinned == status.hashes.candidate:
        return True
    if service.pinned == status.hashes.adopted:
        return True
    home = home_hash(draft)
    if home is None or service.pinned == home:
        return False
    return taken_over(draft) or ready_of(snapshot, service.pinned) == 0


def ended(draft: Draft) -> bool:
    """End as was written down when the release turned round."""
    ending = draft.status.ending or Ending(
        phase=Phase.ROLLED_BACK, reason="RolledBack", message="the release was rolled back"
    )
    draft.enter(
        ending.phase, ending.reason, ending.message, told=str(ending.phase), finished_at=draft.now
    )
    return False


NEEDS: tuple[Need, ...] = (
    latched,
    target_whole,
    traffic_home,
    routes_gone,
    preview_restored,
    candidate_gone,
    side_services_gone,
    services_restored,
    target_restored,
    remembered,
    finalizers_gone,
    ended,
)
