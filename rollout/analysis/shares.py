"""The two-sample test of whether the candidate's share of bad requests is beyond the margin.

Null hypothesis, in every stage: share(candidate) <= ratio * share(stable) + absolute. Given how
many requests each side had and how many bad ones there were in all, each bad request that the
ratio alone explains fell on the candidate with a chance of at most

    q = ratio * n_candidate / (ratio * n_candidate + n_stable),

whatever the rate of errors was and however it drifted; the margin's absolute part adds at most a
Poisson number of them. The p-value is the chance of at least as many bad requests on the
candidate: a binomial tail, averaged over that Poisson number.

Stages with different q are merged into one binomial of the mean q, which never makes the tail
smaller (Hoeffding 1956). The average over the Poisson number is not covered by a theorem;
enumeration of small cases shows that the test keeps its level with room to spare
(`tests/analysis/test_shares.py`).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from rollout.analysis.binomial import binomial_tail, poisson_chunks
from rollout.analysis.counts import Pair
from rollout.resources.metric import Margin


def p_value(pairs: Iterable[Pair], margin: Margin) -> float:
    """Give the chance of such counts, or worse, when the candidate is just within the margin.

    One pair per stage. Stages in which a side had no request say nothing and are left out.
    Without any stage left the answer is 1.
    """
    pool = _pool([p for p in pairs if p.stable.total > 0 and p.candidate.total > 0], margin)
    if pool.candidate_bad <= 0:
        return 1.0
    chunks = poisson_chunks(pool.excused)
    return min(1.0, sum(chance * pool.tail(excused) for excused, chance in chunks))


@dataclass(frozen=True)
class _Pool:
    """All stages together."""

    bad: float
    """Bad requests of both sides."""
    candidate_bad: float
    expected: float
    """Mean of the candidate's bad requests, when each fell there with its stage's q."""
    least: float
    """The smallest q of a stage."""
    excused: float
    """Mean number of bad requests that the margin's absolute part allows."""

    def tail(self, excused: float) -> float:
        """Give the tail with some of the candidate's bad requests taken as excused.

        They are taken from the stage with the smallest q, where they weigh most.
        """
        bad = self.bad - excused
        if self.candidate_bad - excused <= 0 or bad <= 0:
            return 1.0
        mean = max(self.expected - excused * self.least, 0.0) / bad
        return binomial_tail(bad, min(mean, 1.0), self.candidate_bad - excused)


def _pool(pairs: list[Pair], margin: Margin) -> _Pool:
    chances = [_chance(pair, margin) for pair in pairs]
    bad = [pair.stable.bad + pair.candidate.bad for pair in pairs]
    return _Pool(
        bad=sum(bad),
        candidate_bad=sum(pair.candidate.bad for pair in pairs),
        expected=sum(q * count for q, count in zip(chances, bad, strict=True)),
        least=min(chances, default=0.0),
        excused=margin.absolute * sum(pair.candidate.total for pair in pairs),
    )


def _chance(pair: Pair, margin: Margin) -> float:
    weighted = margin.ratio * pair.candidate.total
    return weighted / (weighted + pair.stable.total)
