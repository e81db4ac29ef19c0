"""Promoting and Baking: all traffic on the candidate, with the stable version whole beside it."""

from rollout.analysis.verdict import Verdict
from rollout.engine.draft import Draft, Need, drained
from rollout.engine.facts import bake_clock, base_replicas, edited
from rollout.engine.gates import passed, pause, unavailable
from rollout.engine.giving_back import routes_gone
from rollout.engine.plan import Select, SetWeight
from rollout.engine.progress import DEFAULT_PATIENCE
from rollout.engine.sizes import followed, sized
from rollout.resources.duration import format_duration
from rollout.resources.release import Phase


def full_size(draft: Draft) -> bool:
    """Bring the candidate to the target's full size before it gets everything (I4)."""
    if draft.marked("cutover") is not None:
        return True
    if sized(draft, base_replicas(draft.snapshot, draft.status)):
        return True
    since = draft.status.progress_since or draft.now
    allowed = draft.snapshot.strategy.common.progress_deadline
    if not draft.expired(since, allowed):
        return False
    return pause(
        draft,
        "NoRoom",
        f"the candidate did not reach full size in {format_duration(allowed)} "
        f"({draft.status.message}): make room and `rollout resume`, or `rollout rollback`",
    )


def cut_over(draft: Draft) -> bool:
    """Have every Service select the candidate."""
    hash_ = draft.status.hashes.candidate or ""
    behind = [s for s in draft.snapshot.services if s.pinned != hash_]
    if behind and draft.marked("cutover") is None:
        draft.weigh(100)
        draft.do(*(Select(service.name, hash_) for service in behind))
        return draft.wait("CuttingOver", "the Services move to the candidate")
    draft.mark("cutover")
    draft.unmark("shared")
    return True


def weight_to_zero(draft: Draft) -> bool:
    """Let the Services alone carry the traffic: the canary routes go back to weight 0."""
    weighted = [r for r in draft.snapshot.routes if r.exists and r.weight > 0]
    draft.do(*(SetWeight(route.ingress, 0) for route in weighted))
    if weighted:
        return draft.wait("CuttingOver", "the canary route gives its share to the Services")
    return drained(draft, "unweighted", "all traffic is on the candidate")


def promoted(draft: Draft) -> bool:
    """Begin the bake, which counts from the cutover; on the fast path it is over at once."""
    if draft.snapshot.fast:
        draft.enter(Phase.BAKING, "Baking", "all traffic is on the candidate; there is no bake")
        return True
    bake = format_duration(draft.snapshot.strategy.common.bake)
    said = f"the stable version stands by until {bake} after the cutover"
    draft.enter(Phase.BAKING, "Baking", f"all traffic is on the candidate; {said}")
    return True


PROMOTING: tuple[Need, ...] = (full_size, cut_over, weight_to_zero, routes_gone, promoted)


def candidate_follows(draft: Draft) -> bool:
    """Let the candidate grow with the target while it serves everything."""
    followed(draft, base_replicas(draft.snapshot, draft.status))
    return True


def baked(draft: Draft) -> bool:
    """Watch the candidate under all traffic for the bake's time, and have the judge agree."""
    if draft.snapshot.fast or passed(draft):
        return True
    since = draft.mark(bake_clock(draft.snapshot))
    bake = draft.snapshot.strategy.common.bake
    verdict = draft.snapshot.verdict
    missing = verdict is not None and verdict.verdict in {Verdict.NO_DATA, Verdict.ERROR}
    if missing and not unavailable(draft):
        return False
    if not draft.expired(since, bake):
        return draft.wait("Baking", f"baking for {format_duration(bake)}")
    if missing or (verdict is not None and verdict.verdict is Verdict.PASS):
        return True
    return _undecided(draft, verdict.message if verdict is not None else "no verdict yet")


def _undecided(draft: Draft, said: str) -> bool:
    """The bake goes on for as long again as a step would wait, then a person decides."""
    since = draft.mark(bake_clock(draft.snapshot))
    patience = draft.snapshot.strategy.common.bake * DEFAULT_PATIENCE
    if not draft.expired(since, patience):
        return draft.wait("Undecided", f"the bake is not decided: {said}")
    return pause(
        draft,
        "Undecided",
        f"the bake stayed undecided ({said}): `rollout promote` or `rollout rollback`",
    )


def unedited(draft: Draft) -> bool:
    """Stop before adopting when somebody has edited the target meanwhile."""
    if draft.marked("displaced") is not None or not edited(draft.snapshot, draft.status):
        return True
    target = draft.snapshot.target_name
    return pause(
        draft,
        "EditWaiting",
        f"Deployment {target} was edited meanwhile: `rollout resume` replaces the edit with the "
        "released template (and keeps it in status.displacedEdit), `rollout rollback` leaves it",
    )


def bake_over(draft: Draft) -> bool:
    """Go on to adopting."""
    draft.enter(
        Phase.ADOPTING,
        "Adopting",
        f"Deployment {draft.snapshot.target_name} takes the released template, without traffic",
        progress_since=draft.now,
    )
    return True


BAKING: tuple[Need, ...] = (candidate_follows, baked, unedited, bake_over)
