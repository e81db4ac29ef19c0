"""A short, seeded run of the measurement in tests/bench: the promise as numbers."""

from statistics import median

import pytest

from tests.bench.judge import (
    ALL,
    CLEAN,
    DEMO,
    FIVE,
    LATE,
    MANY_ERRORS,
    QUICK,
    SLOW,
    SWINGING,
    USUAL_ERRORS,
)
from tests.bench.releases import Traffic, Version, first_fail, seeded, steady


def fails(version: Version, releases: int) -> int:
    times = (
        first_fail(seeded(seed), Traffic(50, DEMO), QUICK, version, version)
        for seed in range(releases)
    )
    return sum(time is not None for time in times)


def found(candidate: Version, rps: float, weight: int) -> float:
    """Median of the seconds until the Fail; one that is never found counts as an hour."""
    traffic = Traffic(rps, ((weight, 60.0),))
    times = (first_fail(seeded(seed), traffic, QUICK, CLEAN, candidate) for seed in range(15))
    return median(3600.0 if time is None else time for time in times)


def test_healthy_releases_are_not_rolled_back() -> None:
    assert fails(USUAL_ERRORS, 20) == 0


@pytest.mark.sweep
@pytest.mark.timeout(600)
def test_healthy_releases_with_many_or_swinging_errors_are_not_rolled_back() -> None:
    assert fails(MANY_ERRORS, 20) + fails(SWINGING, 20) == 0


def test_errors_are_found_within_seconds() -> None:
    assert found(FIVE, rps=100, weight=50) <= 9
    assert found(FIVE, rps=50, weight=20) <= 18


def test_slow_tail_is_found_within_seconds() -> None:
    assert found(SLOW, rps=100, weight=50) <= 7
    assert found(Version({LATE: steady(0.3)}), rps=50, weight=20) <= 6


def test_candidate_that_always_fails_is_found_at_once() -> None:
    assert found(ALL, rps=50, weight=20) <= 4
