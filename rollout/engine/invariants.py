"""The rules that never bend, checked in the product: a plan that breaks one is not carried out.

The needs of the phases are written so that this never happens; this is the net below them.
"""

from collections.abc import Iterable, Iterator

from rollout.engine.facts import (
    candidate_ready,
    current_step,
    holds_step,
    on_candidate,
    ready_of,
    stable_ready,
    widened,
)
from rollout.engine.plan import (
    Action,
    DeleteCandidate,
    DeleteRoute,
    PauseTarget,
    SaveRestore,
    ScaleCandidate,
    Select,
    SetWeight,
    Widen,
    WriteTemplate,
)
from rollout.engine.portions import exceeds
from rollout.engine.snapshot import Snapshot
from rollout.resources.release import Phase, ReleaseStatus


def violations(
    snapshot: Snapshot, actions: Iterable[Action], status: ReleaseStatus
) -> Iterator[str]:
    """Yield a sentence for each rule that the actions would break, in order."""
    saved = snapshot.release.status.resolved is not None
    for action in actions:
        saved = saved or isinstance(action, SaveRestore)
        if not saved and isinstance(action, Select | PauseTarget):
            yield f"I5: {action} would change what has not been written down"
        yield from _of_traffic(snapshot, action, status)
        yield from _of_pods(snapshot, action, status)


def _of_traffic(snapshot: Snapshot, action: Action, status: ReleaseStatus) -> Iterator[str]:
    match action:
        case SetWeight(weight=weight) if weight > 0:
            yield from _weight(snapshot, status, weight)
        case Widen(service=service, weight=weight):
            yield from _weight(snapshot, status, weight)
            ready = candidate_ready(snapshot, status)
            if exceeds(ready, stable_ready(snapshot, status), weight):
                yield f"I2: Service {service} would give {ready} candidate pods over {weight} %"
        case Select(service=service, hash=hash_) if _moves(snapshot, service, hash_):
            if ready_of(snapshot, hash_) == 0:
                yield f"I1: Service {service} would select {hash_}, which has no ready pods"
        case DeleteRoute(ingress=ingress):
            if any(r.ingress == ingress and r.weight > 0 for r in snapshot.routes):
                yield f"I4: the route of {ingress} would go while it has weight"
        case _:
            pass


def _of_pods(snapshot: Snapshot, action: Action, status: ReleaseStatus) -> Iterator[str]:
    match action:
        case WriteTemplate() if status.phase not in {Phase.ADOPTING, Phase.ROLLING_BACK}:
            yield f"I3: the target's template would change while {status.phase}"
        case ScaleCandidate(replicas=replicas):
            yield from _shrink(snapshot, status, replicas)
            yield from _grow(snapshot, status, replicas)
        case DeleteCandidate() if _carries(snapshot, status):
            yield "I4: the candidate would go while it has traffic"
        case _:
            pass


def _moves(snapshot: Snapshot, service: str, hash_: str) -> bool:
    shared = widened(snapshot)
    return any(
        s.name == service and s.pinned != hash_ and (s.pinned is not None or s in shared)
        for s in snapshot.services
    )


def _weight(snapshot: Snapshot, status: ReleaseStatus, weight: int) -> Iterator[str]:
    if ready_of(snapshot, status.hashes.candidate) == 0:
        yield f"I1: weight {weight} for a candidate with no ready pods"
    step = current_step(snapshot, status)
    held = step is not None and holds_step(snapshot, status)
    allowed = step.weight if step is not None and held else 0
    if weight > allowed:
        yield f"I2: weight {weight} where {allowed} is allowed ({status.phase})"


def _carries(snapshot: Snapshot, status: ReleaseStatus) -> bool:
    """Whether the candidate gets requests, by whichever means."""
    routed = any(route.weight > 0 for route in snapshot.routes)
    return bool(on_candidate(snapshot, status) or widened(snapshot)) or routed


def _shrink(snapshot: Snapshot, status: ReleaseStatus, replicas: int) -> Iterator[str]:
    candidate = snapshot.candidate
    if candidate is None or replicas >= candidate.replicas:
        return
    contested = status.ending is not None and status.ending.reason == "SelectorContested"
    if _carries(snapshot, status) and not contested:
        yield f"I4: the candidate would shrink to {replicas} while it has traffic"


def _grow(snapshot: Snapshot, status: ReleaseStatus, replicas: int) -> Iterator[str]:
    """A candidate that gets requests by its pods grows no further than its step allows."""
    step, candidate = current_step(snapshot, status), snapshot.candidate
    held = step is not None and holds_step(snapshot, status) and widened(snapshot)
    if step is None or candidate is None or not held or replicas <= candidate.replicas:
        return
    if exceeds(replicas, stable_ready(snapshot, status), step.weight):
        yield f"I2: {replicas} candidate pods would make more than {step.weight} %"
