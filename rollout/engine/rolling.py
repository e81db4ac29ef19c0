"""Baking and Adopting in place: the target takes the template and rolls while it serves.

For clusters without room for the target twice. There is no cutover: the bake is at the weight of
the last step, with stable whole and rollback one write. Then the candidate's share goes to 0, the
candidate goes, the Services are the user's own again, and the target rolls natively: what serves
is as many pods of both versions as the target's own strategy keeps up. Rollback means from there
that the target rolls natively back, also with traffic.
"""

from rollout.engine.adopt import committed, succeeded, target_rolled, template_written
from rollout.engine.draft import Draft, Need, drained
from rollout.engine.facts import by_pods
from rollout.engine.giving_back import (
    candidate_gone,
    finalizers_gone,
    routes_gone,
    services_restored,
    side_services_gone,
    target_restored,
)
from rollout.engine.plan import Enter, SetWeight
from rollout.engine.progress import reached_in_time, routes_intact, step_reached
from rollout.engine.promote import baked, unedited
from rollout.engine.rollback import go_back
from rollout.engine.shares import narrowed
from rollout.resources.duration import format_duration
from rollout.resources.release import Phase


def bake_over(draft: Draft) -> bool:
    """Go on to adopting, with the share that the candidate has."""
    draft.unmark("unweighted", "unshared")
    draft.enter(
        Phase.ADOPTING,
        "Adopting",
        f"Deployment {draft.snapshot.target_name} takes the released template while it serves",
        progress_since=draft.now,
    )
    return True


BAKING: tuple[Need, ...] = (
    reached_in_time,
    routes_intact,
    step_reached,
    baked,
    unedited,
    bake_over,
)


def in_time(draft: Draft) -> bool:
    """Go back when the target has not rolled in its time: it serves with what it has by then."""
    if draft.status.committed:
        return True
    since = draft.status.progress_since or draft.now
    allowed = draft.snapshot.strategy.common.progress_deadline
    if not draft.expired(since, allowed):
        return True
    return go_back(
        draft,
        Phase.ROLLED_BACK,
        "ProgressDeadlineExceeded",
        f"{format_duration(allowed)} were not enough: {draft.status.message}",
    )


def share_to_zero(draft: Draft) -> bool:
    """Have the stable version take all requests before the candidate goes (I4)."""
    if draft.marked("opened") is not None:
        return True
    if by_pods(draft.snapshot):
        return narrowed(draft)
    weighted = [r for r in draft.snapshot.routes if r.exists and r.weight > 0]
    draft.do(*(SetWeight(route.ingress, 0) for route in weighted))
    if weighted:
        draft.weigh(0)
        return draft.wait("MovingTraffic", "the candidate gives its share to the stable version")
    return drained(draft, "unweighted", "no traffic is sent to the candidate")


def services_opened(draft: Draft) -> bool:
    """Give the Services their own selectors: from here they select whatever the target has.

    No candidate pod is left that they could select. It is written down first, so that a wide
    Service is not taken for somebody's doing, and no new one is narrowed to pods that will go.
    """
    if draft.marked("opened") is None:
        draft.mark("opened")
        draft.do(Enter(draft.status))
    return services_restored(draft)


ADOPTING: tuple[Need, ...] = (
    in_time,
    share_to_zero,
    routes_gone,
    candidate_gone,
    side_services_gone,
    services_opened,
    template_written,
    target_rolled,
    committed,
    target_restored,
    finalizers_gone,
    succeeded,
)
