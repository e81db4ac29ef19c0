"""Tails of the binomial and Poisson distributions, exact and cheap, on the standard library.

scipy would bring 94 MiB and 2.8 s of start-up for two functions.
"""

from collections.abc import Iterator
from math import exp, lgamma, log, log1p, sqrt
from typing import Final

_PRECISION: Final = 1e-15
_TINY: Final = 1e-300


def binomial_tail(trials: float, chance: float, at_least: float) -> float:
    """Give P(X >= at_least) for X ~ Binomial(trials, chance).

    Counts may be fractional, as counters are; then it is the usual continuation between
    whole counts.
    """
    if at_least <= 0:
        return 1.0
    if at_least > trials or chance <= 0:
        return 0.0
    if chance >= 1:
        return 1.0
    return _incomplete_beta(at_least, trials - at_least + 1, chance)


def _incomplete_beta(a: float, b: float, x: float) -> float:
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    """Evaluate the continued fraction of the incomplete beta function (Lentz's method)."""
    d = 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    c, result, m = 1.0, d, 0
    while True:
        m += 1
        for step in _coefficients(a, b, x, m):
            d = 1 / _away_from_zero(1 + step * d)
            c = _away_from_zero(1 + step / c)
            result *= d * c
        if abs(d * c - 1) < _PRECISION or m > 100 + 20 * sqrt(a + b):
            return result


def _coefficients(a: float, b: float, x: float, m: int) -> tuple[float, float]:
    even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
    odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
    return even, odd


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def poisson_chunks(mean: float, most: int = 64) -> Iterator[tuple[float, float]]:
    """Cut a Poisson distribution into chunks: (largest value in the chunk, its probability).

    A monotone function averaged over chunks at their largest value is never below the true
    average, so a p-value made this way errs on the safe side. The mass beyond the last chunk
    (below 1e-15) is given to it as well.
    """
    if mean <= 0:
        yield 0.0, 1.0
        return
    spread = 9 * sqrt(mean) + 12
    first, last = max(0, int(mean - spread)), int(mean + spread) + 12
    width = -(-(last + 1 - first) // most)
    for start in range(first, last + 1, width):
        end = start + width - 1
        yield end, sum(_poisson(mean, value) for value in range(start, end + 1))


def _poisson(mean: float, value: int) -> float:
    return exp(value * log(mean) - mean - lgamma(value + 1))
