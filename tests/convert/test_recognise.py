"""Queries become shares of requests where that is proved, and numbers within limits elsewhere."""

from typing import Any

import pytest

from rollout.analysis.limits import limits as said
from rollout.analysis.limits import out_of_limits
from rollout.convert.conditions import Limits, limits
from rollout.convert.recognise import recognise
from rollout.resources.metric import ValueMetric

SIDE = 'pod=~"${pods}"'
GOOD = f'sum(rate(requests_total{{{SIDE},code!~"5.."}}[1m]))'
BAD = f'sum(rate(requests_total{{{SIDE},code=~"5.."}}[1m]))'
ALL = f"sum(rate(requests_total{{{SIDE}}}[1m]))"
BUCKETS = f"sum(rate(seconds_bucket{{{SIDE}}}[5m])) by (le)"


def share(query: str, found: Limits) -> tuple[Any, float] | None:
    """The conditions of bad requests, and the margin."""
    it = recognise(query, found)
    if it is None:
        return None
    assert it.body["total"] == {"metric": "requests_total"}
    assert it.track_matchers == ({"label": "pod", "op": "=~", "value": "${pods}"},)
    return it.body["bad"]["matchers"], it.body["margin"]["absolute"]


FIVES = [{"label": "code", "op": "=~", "value": "5.."}]


@pytest.mark.parametrize(
    ("query", "found", "allowed"),
    [
        (f"{GOOD} / {ALL}", Limits(min=0.95), 0.05),
        (f"({GOOD} / {ALL}) * 100", Limits(min=99), 0.01),
        (f"100 * {GOOD} / {ALL}", Limits(min=99.5), 0.005),
        (f"{BAD} / {ALL}", Limits(max=0.02), 0.02),
        (f"{BAD} / {ALL} * 100", Limits(max=2), 0.02),
        (f"({BAD} or vector(0)) / {ALL}", Limits(max=0.02), 0.02),
        (f"1 - ({GOOD} / {ALL})", Limits(max=0.03), 0.03),
        (f"100 - {GOOD} / {ALL} * 100", Limits(max=3), 0.03),
        (f"scalar({BAD} / {ALL})", Limits(max=0.1), 0.1),
        (f"{BAD} / {ALL}".replace("rate", "increase"), Limits(max=0.1), 0.1),
    ],
)
def test_a_share_is_recognised(query: str, found: Limits, allowed: float) -> None:
    assert share(query, found) == (FIVES, allowed)


@pytest.mark.parametrize(
    ("query", "found", "why"),
    [
        (f"{BAD} / {ALL}", Limits(min=0.02), "more errors are no health"),
        (f"{BAD} / {ALL}", Limits(min=0.1, max=0.2), "two limits"),
        (f"{BAD} / {ALL}", Limits(max=0.95), "no margin is that large"),
        (f"{BAD} / {ALL.replace('1m', '5m')}", Limits(max=0.1), "another window"),
        (f"{BAD} / {ALL.replace('requests', 'others')}", Limits(max=0.1), "another counter"),
        (f"{BAD} / {BAD}", Limits(max=0.1), "the same on both sides"),
        (f"{ALL} / {BAD}", Limits(max=0.1), "upside down"),
        (f"{BAD} + {ALL}", Limits(max=0.1), "a sum"),
        (f"{BAD} / on() {ALL}", Limits(max=0.1), "joined by labels"),
        (f"{BAD.replace('sum', 'max')} / {ALL}", Limits(max=0.1), "no sum"),
        (f"{BAD} by (code) / {ALL}", Limits(max=0.1), "series by code"),
        (f"{BAD.replace('[1m]', '[1m] offset 1h')} / {ALL}", Limits(max=0.1), "of an hour ago"),
        (f"{BAD} / {ALL}".replace(SIDE, 'app="web"'), Limits(max=0.1), "both sides together"),
        (f"{BAD} / {ALL}".replace("${pods}", "${service}.*"), Limits(max=0.1), "a wildcard"),
        (f"{BAD} / {ALL}".replace('pod=~"${pods}"', 'pod!="${hash}"'), Limits(max=0.1), "not it"),
        (f"2 - ({GOOD} / {ALL})", Limits(max=0.1), "not the rest of a whole"),
        ("sum(x", Limits(max=1), "no PromQL"),
        ("up", Limits(min=1), "a gauge"),
    ],
)
def test_what_proves_nothing_is_not_recognised(query: str, found: Limits, why: str) -> None:
    assert recognise(query, found) is None, why


@pytest.mark.parametrize(
    ("query", "most", "bound", "unit"),
    [
        (f"histogram_quantile(0.99, {BUCKETS})", 0.5, 0.5, None),
        (f"histogram_quantile(0.99, {BUCKETS}) * 1000", 500, 0.5, None),
        (
            f"histogram_quantile(0.99, {BUCKETS})".replace("seconds", "milliseconds"),
            *(500, 0.5, "Milliseconds"),
        ),
    ],
)
def test_a_quantile_is_the_share_of_what_is_slower(
    query: str, most: float, bound: float, unit: str | None
) -> None:
    found = recognise(query.replace("seconds_bucket", "time_seconds_bucket"), Limits(max=most))
    if unit:
        found = recognise(query.replace("milliseconds", "time_milliseconds"), Limits(max=most))
    assert found is not None
    assert found.body["bounds"] == [bound]
    assert found.body["margin"] == {"ratio": 1.0, "absolute": 0.01}
    assert found.body["histogram"].get("unit") == unit


def test_a_bound_that_is_no_usual_bucket_is_told() -> None:
    found = recognise(f"histogram_quantile(0.9, {BUCKETS})", Limits(max=0.4))
    assert found is not None
    assert found.notes[-1] == "0.4 must be a bucket of the histogram"


@pytest.mark.parametrize(
    "query",
    [
        f"histogram_quantile(0.99, {BUCKETS.replace('(le)', '(le, pod)')})",
        f"histogram_quantile(0.99, {BUCKETS.replace('_bucket', '')})",
        f"1 - histogram_quantile(0.99, {BUCKETS})",
        f"histogram_quantile(0.05, {BUCKETS})",
    ],
)
def test_another_quantile_stays_a_number(query: str) -> None:
    assert recognise(query, Limits(max=0.5)) is None


@pytest.mark.parametrize(
    ("success", "failure", "low", "high"),
    [
        ("result[0] >= 0.95", None, 0.95, None),
        ("result >= 0.95", None, 0.95, None),
        ("0.95 <= result[0]", None, 0.95, None),
        ("result[0] < 5e-2", None, None, 0.0499999),
        ("result[0] < 1", None, None, 0.99999),
        ("result[0] > 0", None, 1e-9, None),
        ("500 > result[0]", None, None, 499.999),
        ("result[0] < -2", None, None, -2.00001),
        ("len(result) == 0 || result[0] >= 0.9", None, 0.9, None),
        ("isNaN(result[0]) or result[0] >= 0.9", None, 0.9, None),
        ("!isNaN(result[0]) && result[0] >= 0.9", None, 0.9, None),
        ("result[0] >= 1 && (result[0] <= 3)", None, 1, 3),
        ("result[0] > 5 && result[0] > 2", None, 5.00001, None),
        ("result[0] >= 5 && result[0] >= 2", None, 5, None),
        ("result[0] <= 2 && result[0] <= 5 && result[0] >= 1", None, 1, 2),
        (None, "result[0] > 2 || result[0] > 5", None, 2),
        (None, "result[0] < 5 || result[0] < 2", 5, None),
        ("all(result, # < 0.05)", None, None, 0.0499999),
        ("all(result, {# < 0.05})", None, None, 0.0499999),
        ("default(result, 0) <= 7", None, None, 7),
        ("asFloat(result[0]) <= 7", None, None, 7),
        ("result[0] == 1", None, 1, 1),
        (None, "result[0] > 0.05", None, 0.05),
        (None, "result[0] < 0.9 || result[0] > 2", 0.9, 2),
        (None, "any(result, # > 1)", None, 1),
        ("result[0] < 0.05", "result[0] >= 0.05", None, 0.0499999),
        ("result[0] < 0.05", "result[0] >= 0.1", None, 0.099999),
    ],
)
def test_conditions_are_limits(
    success: str | None, failure: str | None, low: float | None, high: float | None
) -> None:
    found = limits(success, failure)
    assert found is not None
    assert (found.min, found.max) == (low, high)


@pytest.mark.parametrize(
    ("success", "failure"),
    [
        (None, None),
        ("result[0] > result[1]", None),
        ("result.ok", None),
        ("result[0] >= 1 || result[1] >= 1", None),
        ("any(result, # > 1)", None),
        ("result[0] != 3", None),
        (None, "result[0] == 3"),
        (None, "result[0] > 1 && result[0] < 2"),
        (None, "all(result, # > 1)"),
        ("result[0] > 1", "result[1] > 1"),
        ("isNaN(result[0])", None),
    ],
)
def test_conditions_that_say_more_are_no_limits(success: str | None, failure: str | None) -> None:
    assert limits(success, failure) is None


def test_what_changes_at_the_limit_itself_and_between_is_told() -> None:
    strict = limits("result[0] < 0.05", None)
    between = limits("result[0] < 0.05", "result[0] > 0.1")
    assert strict is not None
    assert strict.notes == ()
    assert strict.told == (
        "good was less than 0.05: limits are included, so this one is a little below it",
    )
    assert between is not None
    assert "Inconclusive" in between.notes[0]


def test_a_count_that_had_to_be_below_one_must_be_none() -> None:
    found = limits("result[0] < 1", None)
    assert found is not None
    metric = ValueMetric.model_validate({"name": "restarts", "query": "up", **found.given})
    assert not out_of_limits(metric, 0)
    assert out_of_limits(metric, 1)
    assert said(metric) == "at most 0.99999"


def test_of_two_strict_limits_the_one_that_holds_is_told() -> None:
    found = limits("result[0] < 5 && result[0] < 2", None)
    assert found is not None
    assert found.told == (
        "good was less than 2: limits are included, so this one is a little below it",
    )


def test_a_share_below_a_strict_limit_has_a_plain_margin() -> None:
    found = limits("result[0] < 0.05", None)
    assert found is not None
    assert found.bounds == Limits(max=0.05)
    assert share(f"{BAD} / {ALL}", found.bounds) == (FIVES, 0.05)
