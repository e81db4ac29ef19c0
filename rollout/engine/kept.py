"""What somebody changes by hand of what a release shows to people or sends to the candidate.

Both are put back at once and told: the share may never be above what the step allows (I2), and
whoever looks at the preview must see the candidate.
"""

from rollout.engine.draft import Draft
from rollout.engine.facts import current_step, holds_step
from rollout.engine.plan import Select, SetWeight
from rollout.resources.release import Phase

SHOWN = frozenset({Phase.PROGRESSING, Phase.PROMOTING, Phase.BAKING})


def preview_kept(draft: Draft) -> bool:
    """Have the preview Service select the candidate again when somebody has changed that."""
    preview, hash_ = draft.snapshot.preview, draft.status.hashes.candidate
    where = draft.status.paused_from.phase if draft.status.paused_from else draft.phase
    if preview is None or hash_ is None or where not in SHOWN or preview.pinned == hash_:
        return True
    who = preview.changed_by or "somebody"
    draft.tell(
        "PreviewChanged",
        f"Service {preview.name} lost its selector to {who}: it shows the candidate again",
        warning=True,
    )
    draft.do(Select(preview.name, hash_))
    return False


def weight_kept(draft: Draft) -> bool:
    """Take back a share that somebody has raised while the release stands still (I2)."""
    where, step = draft.status.paused_from, current_step(draft.snapshot, draft.status)
    if where is None or step is None or not holds_step(draft.snapshot, draft.status):
        return True
    raised = [r for r in draft.snapshot.routes if r.exists and r.weight > step.weight]
    for route in raised:
        draft.tell(
            "WeightChanged",
            f"Ingress {route.canary} was given {route.weight} % by somebody: it has "
            f"{step.weight} % again, as step {where.step + 1} allows",
            warning=True,
        )
        draft.do(SetWeight(route.ingress, step.weight))
    return not raised
