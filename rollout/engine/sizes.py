"""How many pods the candidate has: enough before it gets traffic, and never fewer while it has."""

from rollout.engine.draft import Draft
from rollout.engine.facts import (
    base_replicas,
    candidate_pods,
    current_step,
    holds_step,
    in_place,
    pods_for,
)
from rollout.engine.plan import ScaleCandidate
from rollout.resources.release import Phase


def sized(draft: Draft, wanted: int) -> bool:
    """Have at least this many available candidate pods (I4: pods before traffic)."""
    candidate = draft.snapshot.candidate
    if candidate is None:
        return draft.wait("CandidateGone", "the candidate Deployment is gone")
    if candidate.replicas < wanted:
        draft.do(ScaleCandidate(wanted))
        return draft.wait("ScalingCandidate", f"scaling the candidate to {wanted}")
    ready = candidate_pods(draft.snapshot, draft.status)
    have = min(candidate.available, ready.ready if ready else 0)
    if have >= wanted:
        return True
    return draft.wait("WaitingForCandidate", f"{have} of {wanted} candidate pods are available")


def followed(draft: Draft, wanted: int) -> None:
    """Let the candidate grow with the target; it never shrinks while it has traffic."""
    candidate = draft.snapshot.candidate
    if candidate is not None and candidate.replicas < wanted:
        draft.do(ScaleCandidate(wanted))


def load_followed(draft: Draft, phase: Phase) -> None:
    """Let a candidate that has traffic grow with the load, as the phase has it."""
    base = base_replicas(draft.snapshot, draft.status)
    step = current_step(draft.snapshot, draft.status)
    if holds_step(draft.snapshot, draft.status):
        followed(draft, pods_for(step, base) if step is not None else 0)
    elif phase in {Phase.PROMOTING, Phase.BAKING, Phase.ADOPTING} and not in_place(draft.snapshot):
        followed(draft, base)
