"""Raw counters to blocks: restarts, series that come and go, and readings out of order."""

from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.analysis.counts import (
    CounterId,
    Counting,
    Counts,
    Pair,
    Reading,
    Series,
    from_json,
    to_json,
)
from rollout.analysis.signals import Signal, Track, signals
from rollout.resources.metric import LatencyMetric, Margin
from rollout.resources.policy import RolloutPolicySpec
from tests.analysis.build import ERRORS, at

BAD = CounterId(Track.CANDIDATE, "errors", "bad")
TOTAL = CounterId(Track.CANDIDATE, "errors", "total")
POD = Series("pod-a", "code=200")


def reading(second: float, totals: dict[Series, float], *targets: str) -> Reading:
    return Reading(at(second), {TOTAL: totals}, frozenset(targets))


def totals(*readings: Reading) -> list[float]:
    """The candidate's requests in the block that ends with each reading."""
    counting, found = Counting(), []
    for one in readings:
        counting, block = counting.take(one, signals(ERRORS))
        if block is not None:
            found.append(block.pairs["errors"].candidate.total)
    return found


def test_first_reading_is_only_a_starting_point() -> None:
    assert totals(reading(0, {POD: 100})) == []


def test_block_counts_what_came_between_two_readings() -> None:
    assert totals(reading(0, {POD: 100}), reading(1, {POD: 130}), reading(2, {POD: 130})) == [30, 0]


def test_counter_that_fell_restarted_from_zero() -> None:
    assert totals(reading(0, {POD: 100}), reading(1, {POD: 7}), reading(2, {POD: 9})) == [7, 2]


def test_new_series_of_a_target_read_before_counts_from_zero() -> None:
    """A pod's first error makes a new series; losing it would delay every Fail."""
    new = Series("pod-a", "code=500")
    found = totals(reading(0, {POD: 5}, "pod-a"), reading(1, {POD: 5, new: 3}, "pod-a"))
    assert found == [3]


def test_new_series_of_a_new_target_is_a_starting_point() -> None:
    old = Series("pod-b", "code=200")
    found = totals(
        reading(0, {POD: 5}, "pod-a"),
        reading(1, {POD: 5, old: 90_000}, "pod-a", "pod-b"),
        reading(2, {POD: 5, old: 90_004}, "pod-a", "pod-b"),
    )
    assert found == [0, 4]


def test_series_that_vanished_counts_up_to_its_last_sample() -> None:
    found = totals(reading(0, {POD: 5}), reading(1, {POD: 9}), reading(2, {}), reading(3, {}))
    assert found == [4, 0, 0]


def test_series_that_comes_back_counts_what_happened_in_the_gap() -> None:
    found = totals(reading(0, {POD: 5}), reading(1, {}), reading(2, {POD: 25}))
    assert found == [0, 20]


def test_reading_that_is_not_newer_is_not_counted_again() -> None:
    first, second = reading(0, {POD: 5}), reading(1, {POD: 9})
    assert totals(first, second, second, reading(0.5, {POD: 7}), reading(2, {POD: 10})) == [4, 1]


def test_value_that_is_no_number_is_no_sample() -> None:
    assert totals(reading(0, {POD: 5}), reading(1, {POD: nan}), reading(2, {POD: 8})) == [0, 3]


def test_past_of_a_series_is_not_counted_again_when_it_changes_sides() -> None:
    """At the cutover an edge's counters of the Service become the candidate's."""
    edge = Series("edge", "cluster=web")
    as_stable = CounterId(Track.STABLE, "errors", "total")
    counting, _ = Counting().take(
        Reading(at(0), {as_stable: {edge: 5000}}, frozenset({"edge"})), signals(ERRORS)
    )
    moved = Reading(at(1), {TOTAL: {edge: 5010}}, frozenset({"edge"}))
    _, block = counting.take(moved, signals(ERRORS))
    assert block is not None
    assert block.pairs["errors"] == Pair(candidate=Counts(0, 10))


def test_slow_requests_are_those_above_the_bound() -> None:
    policy = RolloutPolicySpec(metrics=(LatencyMetric(name="latency", bounds=(0.25, 1.0)),))

    def shown(second: float, total: float, quarter: float, one: float) -> Reading:
        parts = {"total": total, "le=0.25": quarter, "le=1": one}
        counters = {
            CounterId(Track.STABLE, "latency", part): {Series("p"): value}
            for part, value in parts.items()
        }
        return Reading(at(second), counters, frozenset({"p"}))

    counting, _ = Counting().take(shown(0, 10, 10, 10), signals(policy))
    _, block = counting.take(shown(1, 30, 22, 29), signals(policy))
    assert block is not None
    assert block.pairs["latency>0.25s"].stable == Counts(8, 20)
    assert block.pairs["latency>1s"].stable == Counts(1, 20)


def test_bad_requests_never_exceed_all_requests() -> None:
    counting, _ = Counting().take(
        Reading(at(0), {BAD: {POD: 0}, TOTAL: {POD: 0}}, frozenset()), signals(ERRORS)
    )
    _, block = counting.take(
        Reading(at(1), {BAD: {POD: 5}, TOTAL: {POD: 4}}, frozenset()), signals(ERRORS)
    )
    assert block is not None
    assert block.pairs["errors"].candidate == Counts(4, 4)


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=30))
def test_sum_of_blocks_is_what_really_happened(steps: list[tuple[int, bool]]) -> None:
    """Requests of one pod that restarts now and then, read after each; a naive twin counts along.

    What a process counted in the interval in which it died is lost: nobody ever saw it.
    """
    value, happened, readings = 0, 0, [reading(0, {POD: 0}, "pod-a")]
    for second, (requests, restarts) in enumerate(steps, start=1):
        value = requests if restarts else value + requests
        happened += requests
        readings.append(reading(second, {POD: value}, "pod-a"))
    counted = sum(totals(*readings))
    assert counted <= happened
    if not any(restarts for _, restarts in steps):
        assert counted == happened


def test_pair_survives_json() -> None:
    known = Pair(Counts(1, 20), Counts(3, 4))
    assert from_json(to_json(known)) == known


@pytest.mark.parametrize("wrong", [[1, 2, 3], ["a", 1, 2, 3], None])
def test_wrong_json_is_refused(wrong: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        from_json(wrong)


def test_rate_without_requests_is_zero() -> None:
    assert Counts().rate == 0
    assert Counts(1, 4).rate == 0.25


def test_signal_names_say_what_is_bad() -> None:
    assert Signal("latency", Margin(), 0.25).name == "latency>0.25s"
    assert Signal("errors", Margin()).name == "errors"
