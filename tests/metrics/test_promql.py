"""What is wrong with a query, and where."""

import pytest

from rollout.metrics.promql import mistake, shown


@pytest.mark.parametrize(
    "query",
    [
        'max(queue_length{namespace="${namespace}",pod=~"${pods}"})',
        "histogram_quantile(0.9, sum(rate(x_bucket[5m])) by (le))",
        "max_over_time(x[5m:1m] offset 1h)",
        "sum without(a) (rate(b[1h])) > bool 3",
        "rate(${service}_total[5m])",
        "# a comment\nvector(1)",
    ],
)
def test_good_queries_have_no_mistake(query: str) -> None:
    assert mistake(query) is None


@pytest.mark.parametrize(
    ("query", "message", "place"),
    [
        ("sum(x) y", "no PromQL", "at character 8, at `y`"),
        ("sum(x))", "unexpected right parenthesis", "at character 7, at `)`"),
        ("sum(rate(x[5m]) by (pod)", "unclosed left", "at character 17, at `by (pod)`"),
        ("count(up{job=api})", "expected string", "at character 14, at `api})`"),
        ("sum(rate(x[5m])", "unclosed left", "at its end, after `sum(rate(x[5m])`"),
        ("x offset", "expected duration", "at its end, after `x offset`"),
        ('x{a="b}', "unterminated", 'at its end, after `x{a="b}`'),
        ("sum(a)\n  / / sum(b)\n", "no PromQL", "at line 2, character 5, at `/ sum(b)`"),
        ("1 + nofunc(x)", "unknown function", "at character 5, at `nofunc(x)`"),
        ("1 + rate(x)", "expected type matrix", "at character 5, at `rate(x)`"),
        ('sum(foo{a=~"["})', "illegal regex", 'at character 13, at `["})`'),
        ("x[5m]", "wrap it in rate()", "at character 1, at `x[5m]`"),
        ('"text"', "gives a text", 'at character 1, at `"text"`'),
    ],
)
def test_a_mistake_is_told_with_its_place(query: str, message: str, place: str) -> None:
    found = mistake(query)
    assert found is not None
    assert message in found.message
    assert shown(query, found.offset) == place


def test_variables_move_no_place() -> None:
    found = mistake('sum(x{pod="${pods}"}) y')
    assert found is not None
    assert found.offset == 22
