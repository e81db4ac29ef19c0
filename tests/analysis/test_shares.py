"""The test keeps its level: proved against a naive twin and by enumeration of small cases."""

from itertools import product
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.analysis.counts import Pair
from rollout.analysis.shares import p_value
from rollout.resources.metric import Margin
from tests.analysis.build import pair

EQUAL = Margin(ratio=1.0, absolute=0.0)


def naive(bad: int, total: int, stable_bad: int, stable_total: int, ratio: float) -> float:
    """Enumerate which side each bad request fell on."""
    q = ratio * total / (ratio * total + stable_total)
    pooled = bad + stable_bad
    return sum(comb(pooled, k) * q**k * (1 - q) ** (pooled - k) for k in range(bad, pooled + 1))


@given(
    total=st.integers(1, 60),
    stable_total=st.integers(1, 60),
    shares=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    ratio=st.sampled_from([1.0, 1.1, 1.5, 3.0]),
)
def test_one_stage_equals_the_naive_twin(
    total: int, stable_total: int, shares: tuple[float, float], ratio: float
) -> None:
    bad, stable_bad = round(shares[0] * total), round(shares[1] * stable_total)
    counted = p_value([pair(bad, total, stable_bad, stable_total)], Margin(ratio=ratio, absolute=0))
    expected = naive(bad, total, stable_bad, stable_total, ratio) if bad else 1.0
    assert counted == pytest.approx(expected, rel=1e-9)


def chances(trials: int, chance: float) -> list[float]:
    return [comb(trials, k) * chance**k * (1 - chance) ** (trials - k) for k in range(trials + 1)]


def size(total: int, stable_total: int, rate: float, margin: Margin, level: float) -> float:
    """Chance of a p-value at or below the level, just on the margin, by enumeration."""
    candidate = chances(total, min(1.0, margin.ratio * rate + margin.absolute))
    stable = chances(stable_total, rate)
    return sum(
        candidate[bad] * stable[stable_bad]
        for bad, stable_bad in product(range(total + 1), range(stable_total + 1))
        if candidate[bad] * stable[stable_bad] > 1e-15
        and p_value([pair(bad, total, stable_bad, stable_total)], margin) <= level
    )


@pytest.mark.parametrize("level", [0.05, 0.01, 0.0001])
@pytest.mark.parametrize(("total", "stable_total"), [(8, 30), (30, 30), (40, 10)])
@pytest.mark.parametrize(
    ("rate", "margin"),
    [
        (0.001, EQUAL),
        (0.05, EQUAL),
        (0.3, EQUAL),
        (0.05, Margin(ratio=1.5, absolute=0.0)),
        (0.01, Margin(ratio=1.1, absolute=0.001)),
        (0.01, Margin(ratio=1.0, absolute=0.05)),
        (0.2, Margin(ratio=1.1, absolute=0.02)),
    ],
)
def test_level_is_kept_just_on_the_margin(
    level: float, total: int, stable_total: int, rate: float, margin: Margin
) -> None:
    assert size(total, stable_total, rate, margin, level) <= level


def test_two_stages_are_never_more_certain_than_the_exact_sum() -> None:
    early, late = (4, 20, 2, 400), (9, 300, 8, 300)
    exact = two_binomials(early, late)
    assert p_value([pair(*early), pair(*late)], EQUAL) >= exact


def two_binomials(early: tuple[int, ...], late: tuple[int, ...]) -> float:
    def split(case: tuple[int, ...]) -> list[float]:
        bad, total, stable_bad, stable_total = case
        return chances(bad + stable_bad, total / (total + stable_total))

    one, two = split(early), split(late)
    seen = early[0] + late[0]
    return sum(a * b for (i, a), (j, b) in product(enumerate(one), enumerate(two)) if i + j >= seen)


def test_drift_between_weights_is_not_blamed_on_the_candidate() -> None:
    """Simpson's paradox: pooled, the candidate has 9 % errors against 1.5 %; by weight, equal."""
    quiet, stormy = pair(0, 100, 0, 1900), pair(100, 1000, 33, 330)
    pooled = Pair(quiet.stable.plus(stormy.stable), quiet.candidate.plus(stormy.candidate))
    assert p_value([pooled], EQUAL) < 1e-6
    assert p_value([quiet, stormy], EQUAL) > 0.2


def test_absolute_margin_excuses_what_it_allows() -> None:
    counts = [pair(10, 1000, 0, 1000)]
    assert p_value(counts, EQUAL) < 0.001
    assert p_value(counts, Margin(ratio=1, absolute=0.01)) > 0.3


def test_absolute_margin_never_makes_more_certain() -> None:
    counts = [pair(12, 500, 1, 900), pair(3, 40, 0, 800)]
    ps = [p_value(counts, Margin(ratio=1.1, absolute=a)) for a in (0, 0.0001, 0.001, 0.01, 0.1)]
    assert ps == sorted(ps)


@pytest.mark.parametrize(
    "counts",
    [[], [pair(5, 10, 0, 0)], [pair(0, 0, 5, 10)], [pair(0, 500, 9, 500)], [pair(0, 0, 0, 0)]],
)
def test_nothing_to_compare_proves_nothing(counts: list[Pair]) -> None:
    assert p_value(counts, Margin()) == 1.0


def test_stage_without_stable_requests_changes_nothing() -> None:
    known = pair(6, 50, 1, 400)
    assert p_value([known, pair(9, 9, 0, 0)], EQUAL) == p_value([known], EQUAL)
