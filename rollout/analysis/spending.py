"""How much of the chance of a false alarm each look may spend.

Looking often is what turns 1 % of noise into 30 % of false rollbacks. So alpha is shared out over
the looks of a release before the first one: half of it evenly over the planned looks, the rest
over looks beyond the plan (pauses, holds) by a series that converges. Whatever happens, all looks
together spend at most alpha.
"""

from collections.abc import Iterable
from datetime import timedelta
from math import ceil


def planned_looks(durations: Iterable[timedelta], interval: timedelta) -> int:
    """Count the looks of a release whose steps and bake are held for these durations.

    At least one. `interval` is the policy's, above zero.
    """
    return max(1, sum(ceil(duration / interval) for duration in durations))


def spent_by(alpha: float, look: int, planned: int) -> float:
    """Give how much of alpha may be spent up to and including a look, counted from 1."""
    if look <= planned:
        return alpha / 2 * max(look, 0) / planned
    return alpha / 2 * (2 - planned / look)


def spent_at(alpha: float, look: int, planned: int) -> float:
    """Give how much of alpha one look may spend."""
    return spent_by(alpha, look, planned) - spent_by(alpha, look - 1, planned)
