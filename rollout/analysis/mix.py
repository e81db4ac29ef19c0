"""Checks that the counts of both sides are counts of the same traffic.

Callers that do not pass the router (from inside the cluster) stay on stable until the cutover
and dilute its counters; so do probes. Then the measured share differs from the weight, and what
the test would say about the candidate is not to be trusted.
"""

from typing import Final

from rollout.analysis.binomial import binomial_tail
from rollout.analysis.counts import Pair

LEVEL: Final = 0.001
WHOLE: Final = 100
CLUMP: Final = 3.0
"""Requests come in clumps (connections, retries): each counts as a third of a request."""


def differs(pair: Pair, weight: float, tolerance: float) -> bool:
    """Tell whether the candidate's share of requests is off its weight beyond noise.

    `weight` in percent; `tolerance` relative to it, where 1 means that nothing is ever off.
    """
    if not 0 < weight < WHOLE or tolerance >= 1:
        return False
    candidate = pair.candidate.total / CLUMP
    total = candidate + pair.stable.total / CLUMP
    low, high = weight / WHOLE * (1 - tolerance), weight / WHOLE * (1 + tolerance)
    too_many = binomial_tail(total, high, candidate)
    too_few = binomial_tail(total, 1 - low, total - candidate)
    return min(too_many, too_few) < LEVEL


def share(pair: Pair) -> float:
    """Give the candidate's measured share of requests; 0 without any."""
    total = pair.stable.total + pair.candidate.total
    return pair.candidate.total / total if total else 0.0
