"""How a release stands, as tools read it that know nothing of phases: `kubectl wait`, Flux.

It changes with the phase and what a pause waits for, and with nothing else, so that no write is
made for its sake.
"""

from datetime import datetime

from rollout.resources.conditions import with_condition
from rollout.resources.progress import READY, Abnormal, Because, with_abnormal
from rollout.resources.release import Phase, ReleaseStatus


def with_standing(status: ReleaseStatus, now: datetime) -> ReleaseStatus:
    """Return the status with the conditions Ready, Reconciling and Stalled as its phase has them.

    A release is Ready when it has succeeded. Any other end is Stalled: it will never be.
    """
    ready, because = status.phase is Phase.SUCCEEDED, _because(status)
    reason = because.reason if because else status.reason
    message = because.message if because else status.message
    told = with_condition(
        status.conditions, READY, holds=ready, reason=reason, message=message, now=now
    )
    return status.model_copy(update={"conditions": with_abnormal(told, because, now)})


def _because(status: ReleaseStatus) -> Because | None:
    if status.phase is Phase.SUCCEEDED:
        return None
    if status.phase.ended:
        return Because(Abnormal.STALLED, status.reason, status.message)
    where = status.paused_from
    told = f"the release is in phase {status.phase}"
    if status.phase is Phase.PAUSED and where is not None:
        told = f"the release is paused in phase {where.phase}: {where.reason}"
    return Because(Abnormal.RECONCILING, str(status.phase), told)
