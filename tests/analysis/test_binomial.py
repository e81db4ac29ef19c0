from math import comb, exp, factorial, isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.analysis.binomial import binomial_tail, poisson_chunks


def enumerated(trials: int, chance: float, at_least: int) -> float:
    return sum(
        comb(trials, k) * chance**k * (1 - chance) ** (trials - k)
        for k in range(max(at_least, 0), trials + 1)
    )


@given(
    trials=st.integers(0, 200),
    chance=st.floats(0, 1),
    share=st.floats(0, 1.1),
)
def test_binomial_tail_equals_the_enumerated_sum(trials: int, chance: float, share: float) -> None:
    at_least = round(share * trials)
    expected = enumerated(trials, chance, at_least)
    assert isclose(binomial_tail(trials, chance, at_least), expected, rel_tol=1e-9, abs_tol=1e-13)


@pytest.mark.parametrize(
    ("trials", "chance", "at_least", "expected"),
    [(10, 0.3, 0, 1.0), (10, 0.3, -2, 1.0), (10, 0.3, 11, 0.0), (10, 1, 10, 1.0), (10, 0, 1, 0.0)],
)
def test_binomial_tail_at_its_edges(
    trials: float, chance: float, at_least: float, expected: float
) -> None:
    assert binomial_tail(trials, chance, at_least) == expected


def test_binomial_tail_falls_between_whole_counts() -> None:
    tails = [binomial_tail(20.5, 0.2, k / 4) for k in range(1, 80)]
    assert tails == sorted(tails, reverse=True)


def test_binomial_tail_of_a_million_trials_is_near_the_normal_one() -> None:
    spread = (1_000_000 * 0.3 * 0.7) ** 0.5
    assert binomial_tail(1_000_000, 0.3, 300_000 + 3 * spread) == pytest.approx(1.35e-3, rel=0.02)


@pytest.mark.parametrize("mean", [0.0, 0.01, 0.5, 3.0, 40.0, 5000.0])
def test_poisson_chunks_sum_to_one(mean: float) -> None:
    assert sum(chance for _, chance in poisson_chunks(mean)) == pytest.approx(1, abs=1e-9)


def test_poisson_chunks_of_a_small_mean_are_single_values() -> None:
    chunks = dict(poisson_chunks(0.5))
    for value in range(6):
        assert chunks[value] == pytest.approx(exp(-0.5) * 0.5**value / factorial(value))


def test_poisson_chunks_are_few() -> None:
    assert len(list(poisson_chunks(1_000_000))) <= 65
