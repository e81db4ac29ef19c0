"""A newer release, or a newer template on the target, takes the place of the one that runs.

Until Adopting that is one write, as every rollback then is. In Adopting it waits for the end: the
target has begun to roll, and the candidate serves. A commit that comes while the target rolls is
answered by commits: see `answered`.
"""

from typing import Final

from rollout.engine.draft import Draft
from rollout.engine.facts import by_template, edited, same, ships_own
from rollout.engine.gates import resume
from rollout.engine.rollback import go_back
from rollout.resources.release import Phase
from rollout.resources.words import TRIGGER_LABEL

YIELDS: Final = frozenset({Phase.PREPARING, Phase.PROGRESSING, Phase.PROMOTING, Phase.BAKING})
BY_COMMIT: Final = "StableTemplateWritten"


def outdated(draft: Draft) -> bool:
    """End a release that has yet to begin when something newer is there. True: it has ended."""
    snapshot = draft.snapshot
    newer = f"Release {snapshot.superseded_by}" if snapshot.superseded_by else ""
    made = TRIGGER_LABEL in snapshot.release.metadata.labels
    if made and snapshot.target and not same(snapshot.target.template, snapshot.template):
        newer = f"another template on Deployment {snapshot.target_name}"
    if newer:
        told = f"superseded by {newer} before it began"
        draft.enter(Phase.SUPERSEDED, "Superseded", told, finished_at=draft.now)
    return bool(newer)


def up_to_date(draft: Draft) -> bool:
    """Go back when something newer takes this release's place. True: nothing does."""
    if draft.status.resolved is None or draft.status.committed:
        return True
    if not _yielding(draft):
        return _answered(draft)
    if draft.snapshot.superseded_by:
        return _yields(draft, f"Release {draft.snapshot.superseded_by}")
    if not follows_template(draft):
        return True
    if edited(draft.snapshot, draft.status):
        who = f" by {_editor(draft)}" if _editor(draft) else ""
        return _yields(draft, f"another template on Deployment {draft.snapshot.target_name}{who}")
    return not _taken_back(draft) or _reverts(draft)


def _yielding(draft: Draft) -> bool:
    """Whether the way back is one write: the target has not been told to roll."""
    where = draft.status.paused_from.phase if draft.status.paused_from else draft.phase
    return where in YIELDS or (where is Phase.ADOPTING and draft.marked("written") is None)


def follows_template(draft: Draft) -> bool:
    """Whether the target's template decides what is shipped: trigger Template."""
    rollout = draft.snapshot.rollout
    return by_template(draft.status) and rollout is not None and rollout.spec.by_template


def _editor(draft: Draft) -> str:
    return draft.snapshot.target.edited_by if draft.snapshot.target else ""


def _yields(draft: Draft, newer: str) -> bool:
    return go_back(draft, Phase.SUPERSEDED, "Superseded", f"superseded by {newer}")


def _taken_back(draft: Draft) -> bool:
    """Whether the target has stable's template again, where it had the one that is shipped."""
    target, resolved = draft.snapshot.target, draft.status.resolved
    if target is None or resolved is None or not ships_own(draft.snapshot, draft.status):
        return False
    return same(target.template, resolved.stable_template)


def _reverts(draft: Draft) -> bool:
    target = draft.snapshot.target_name
    told = f"the earlier template is on Deployment {target} again: taken as a rollback"
    return go_back(draft, Phase.ROLLED_BACK, BY_COMMIT, told)


def _answered(draft: Draft) -> bool:
    """Take a commit as the answer to a commit that waits while the target rolls."""
    where, target = draft.status.paused_from, draft.snapshot.target
    if where is None or where.reason != "EditWaiting" or target is None:
        return True
    if not follows_template(draft) or edited(draft.snapshot, draft.status):
        return True
    if _taken_back(draft):
        return _reverts(draft)
    resume(draft, "the released template is on the target again")
    return True
