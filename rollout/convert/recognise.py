"""A query in PromQL recognised as a share of bad requests or of slow ones, where it is proved.

Proved means: the query is a quotient of rates of one counter, of which the upper one has only more
conditions, or a quantile of one histogram; and at least one condition selects the candidate, so
that the same counters can be read of both sides. Anything else stays a number within limits.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import promql_parser as promql

from rollout.convert.conditions import Limits
from rollout.resources.metric import VARIABLE

SIDE: Final = ("service", "hash", "pods", "canary", "track")
"""Variables that are another text on each side."""
OPERATORS: Final = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
NEGATED: Final = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}
HELD: Final = re.compile(r"rolloutvariable([a-z]+)rolloutend")
PLAIN: Final = re.compile(r"(?:[\w:@/-]|\\?\.(?![*+?{]))*")
USUAL_BOUNDS: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    *(0.075, 0.75, 7.5),
)
"""Buckets that the usual client libraries have by default, in seconds."""
WIDEST: Final = 0.9
"""Largest absolute margin that a policy takes."""


@dataclass(frozen=True, order=True)
class Matcher:
    """A condition on a label."""

    label: str
    op: str
    value: str

    @property
    def selects_side(self) -> bool:
        """Whether it tells the candidate from stable.

        A regular expression with a wildcard does not: `web.*` also finds `web-candidate`.
        """
        if self.op not in {"=", "=~"} or not any(f"${{{name}}}" in self.value for name in SIDE):
            return False
        return self.op == "=" or PLAIN.fullmatch(VARIABLE.sub("", self.value)) is not None

    @property
    def body(self) -> dict[str, str]:
        """Itself, as a policy writes it."""
        op = {} if self.op == "=" else {"op": self.op}
        return {"label": self.label, **op, "value": self.value}


@dataclass(frozen=True)
class Selected:
    """A counter with its conditions."""

    name: str
    matchers: frozenset[Matcher]
    window: Any


@dataclass(frozen=True)
class Recognised:
    """A metric of kind Ratio or Latency, without a name."""

    body: dict[str, Any]
    track_matchers: tuple[dict[str, str], ...]
    notes: tuple[str, ...]


def tidy(query: str) -> str:
    """Give a query without blanks at the ends of its lines, which YAML cannot write as lines."""
    return "\n".join(line.rstrip() for line in query.strip().replace("\t", "  ").splitlines())


def parsed(query: str) -> Any:
    """Parse a query with our variables in it. Raises ValueError where it is no PromQL."""
    return promql.parse(VARIABLE.sub(r"rolloutvariable\1rolloutend", query))


def recognise(query: str, limits: Limits) -> Recognised | None:
    """Give the metric that a query with these limits means, where that is proved."""
    try:
        expression, scale, inverted = _scaled(parsed(query))
    except ValueError:
        return None
    if isinstance(expression, promql.Call) and expression.func.name == "histogram_quantile":
        return None if inverted else _latency(expression, scale, limits)
    if isinstance(expression, promql.BinaryExpr) and str(expression.op) == "/":
        return _ratio(expression, scale, limits, inverted=inverted)
    return None


def _scaled(expression: Any) -> tuple[Any, float, bool]:
    """Take away what only scales: brackets, `* 100`, `or vector(0)`, and `1 -`."""
    match expression:
        case promql.ParenExpr():
            return _scaled(expression.expr)
        case promql.Call() if expression.func.name == "scalar":
            return _scaled(expression.args[0])
        case promql.BinaryExpr():
            return _of_two(expression)
    return expression, 1.0, False


def _of_two(expression: Any) -> tuple[Any, float, bool]:
    lhs, rhs, operator = expression.lhs, expression.rhs, str(expression.op)
    if operator == "or" and _is_vector(rhs):
        return _scaled(lhs)
    for one, other in ((lhs, rhs), (rhs, lhs)):
        if operator == "*" and isinstance(other, promql.NumberLiteral) and other.val > 0:
            inner, scale, inverted = _scaled(one)
            return inner, scale * other.val, inverted
    if operator == "-" and isinstance(lhs, promql.NumberLiteral):
        inner, scale, inverted = _scaled(rhs)
        if lhs.val == scale and not inverted:
            return inner, scale, True
    return expression, 1.0, False


def _is_vector(expression: Any) -> bool:
    return isinstance(expression, promql.Call) and expression.func.name == "vector"


def _ratio(expression: Any, scale: float, limits: Limits, *, inverted: bool) -> Recognised | None:
    upper, upper_scale, upper_turned = _scaled(expression.lhs)
    lower, lower_scale, lower_turned = _scaled(expression.rhs)
    part, total = _sum(upper, None), _sum(lower, None)
    if part is None or total is None or upper_turned or lower_turned or expression.modifier:
        return None
    if (part.name, part.window) != (total.name, total.window):
        return None
    whole = scale * upper_scale / lower_scale
    bad, allowed = _bad(part, total, whole, limits, inverted=inverted)
    if bad is None or not 0 <= allowed <= WIDEST:
        return None
    margin = {"ratio": 1.0, "absolute": round(allowed, 6)}
    return _told(
        {"kind": "Ratio", "bad": _counter(part.name, bad), "total": _counter_of(total)},
        total,
        margin,
        f"at most {100 * allowed:g} % bad",
    )


def _bad(
    part: Selected, total: Selected, whole: float, limits: Limits, *, inverted: bool
) -> tuple[frozenset[Matcher] | None, float]:
    """Give the conditions of bad requests, and which share of them is allowed."""
    more = part.matchers - total.matchers
    if not more or not total.matchers <= part.matchers:
        return None, 0
    good_above = limits.min is not None and limits.max is None
    bad_below = limits.max is not None and limits.min is None
    if bad_below and not inverted and limits.max is not None:
        return part.matchers, limits.max / whole
    (one, *others) = more
    turned = Matcher(one.label, NEGATED[one.op], one.value)
    if others:
        return None, 0
    if good_above and not inverted and limits.min is not None:
        return total.matchers | {turned}, 1 - limits.min / whole
    if bad_below and inverted and limits.max is not None:
        return total.matchers | {turned}, limits.max / whole
    return None, 0


def _latency(call: Any, scale: float, limits: Limits) -> Recognised | None:
    quantile = call.args[0]
    buckets = _sum(call.args[1], ["le"])
    if not isinstance(quantile, promql.NumberLiteral) or buckets is None or limits.max is None:
        return None
    name = buckets.name.removesuffix("_bucket")
    allowed = 1 - quantile.val
    milliseconds = re.search(r"_(milliseconds|ms)$", name) is not None
    bound = round(limits.max / scale / (1000 if milliseconds else 1), 9)
    if name == buckets.name or limits.min is not None or not 0 < allowed <= WIDEST:
        return None
    if not 0.0001 <= bound <= 3600:  # noqa: PLR2004 - what a policy takes
        return None
    histogram = _counter(name, buckets.matchers)
    if milliseconds:
        histogram["unit"] = "Milliseconds"
    notes = () if bound in USUAL_BOUNDS else (f"{bound:g} must be a bucket of the histogram",)
    body = {"kind": "Latency", "histogram": histogram, "bounds": [bound]}
    margin = {"ratio": 1.0, "absolute": round(allowed, 6)}
    found = _told(body, buckets, margin, f"at most {100 * allowed:g} % slower than {bound:g} s")
    if found is None:
        return None
    return Recognised(found.body, found.track_matchers, (*found.notes, *notes))


def _told(
    body: dict[str, Any], total: Selected, margin: dict[str, float], was: str
) -> Recognised | None:
    side = sorted(one for one in total.matchers if one.selects_side)
    if not side:
        return None
    note = (
        f"it was: {was}, whatever stable has; here it is compared with stable in the same minutes"
    )
    return Recognised({**body, "margin": margin}, tuple(one.body for one in side), (note,))


def _counter_of(selected: Selected) -> dict[str, Any]:
    return _counter(selected.name, selected.matchers)


def _counter(name: str, matchers: frozenset[Matcher]) -> dict[str, Any]:
    """Name a counter; what selects the side is the provider's."""
    own = sorted(one for one in matchers if not one.selects_side)
    return {"metric": name, **({"matchers": [one.body for one in own]} if own else {})}


def _sum(expression: Any, by: Sequence[str] | None) -> Selected | None:
    """Read `sum(rate(counter{...}[window]))`; None for anything else."""
    while isinstance(expression, promql.ParenExpr):
        expression = expression.expr
    if not isinstance(expression, promql.AggregateExpr) or str(expression.op) != "sum":
        return None
    if not _grouped(expression.modifier, by):
        return None
    rate = expression.expr
    if not isinstance(rate, promql.Call) or rate.func.name not in {"rate", "irate", "increase"}:
        return None
    matrix = rate.args[0]
    vector = matrix.vector_selector if isinstance(matrix, promql.MatrixSelector) else None
    if vector is None or vector.offset or vector.at or not vector.name:
        return None
    if vector.matchers.or_matchers:
        return None
    window = (matrix.range, rate.func.name)
    return Selected(vector.name, frozenset(map(_matcher, vector.matchers.matchers)), window)


def _grouped(modifier: Any, by: Sequence[str] | None) -> bool:
    if modifier is None:
        return by is None
    return modifier.type == promql.AggModifierType.By and list(modifier.labels) == list(by or [])


def _matcher(found: Any) -> Matcher:
    operator = OPERATORS[str(found.op).rpartition(".")[2]]
    return Matcher(found.name, operator, HELD.sub(r"${\1}", found.value))
