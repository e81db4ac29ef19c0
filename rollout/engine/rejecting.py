"""Trigger Template: a template that was taken back is remembered, and not tried again by itself.

It is written on the Rollout before the release ends, because afterwards nobody would know.
"""

from rollout.engine.draft import Draft
from rollout.engine.facts import fingerprint
from rollout.engine.plan import Action, WriteRollout
from rollout.engine.snapshot import Template
from rollout.resources.release import Phase
from rollout.resources.rollout import Rejected


def remembered(draft: Draft) -> bool:
    """Have the target's own template remembered, if it is what this release takes back."""
    ending = draft.status.ending
    if ending is not None and ending.phase is Phase.SUPERSEDED:
        return True
    noted = rejection(draft)
    draft.do(*noted)
    return not noted


def rejection(draft: Draft) -> tuple[Action, ...]:
    """Say the write that remembers it; none where that is so already, or is of no use."""
    snapshot = draft.snapshot
    rollout, target, shipped = snapshot.rollout, snapshot.target, _shipped(draft)
    if rollout is None or target is None or shipped is None:
        return ()
    if not rollout.spec.by_template or rollout.metadata.deletion_timestamp is not None:
        return ()
    hash_ = fingerprint(target.template)
    rejected = Rejected(template_hash=hash_, release=snapshot.release.metadata.name)
    if hash_ != fingerprint(shipped) or rollout.status.rejected == rejected:
        return ()
    return (WriteRollout(rollout.status.held, rejected),)


def _shipped(draft: Draft) -> Template | None:
    resolved = draft.status.resolved
    return resolved.template if resolved is not None else draft.snapshot.template
