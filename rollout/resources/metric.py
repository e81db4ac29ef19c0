"""The metrics of a policy: a share of bad requests, shares of slow requests, or a number.

Counters are named in structure (metric name and label matchers, never a rate or a ratio in
PromQL), so that one policy can be asked of Prometheus and read straight from pods, and so that
the judge gets raw counts: a rate over a sliding window counts the same minute many times.
"""

import re
from enum import StrEnum
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, model_validator

from rollout.resources.model import Model, rules

MetricName = Annotated[
    str, Field(min_length=1, max_length=200, pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")
]
Identifier = Annotated[
    str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
]


VARIABLES: Final = ("namespace", "service", "track", "hash", "pods", "route", "canary")
VARIABLE: Final = re.compile(r"\$\{(\w*)\}")
_KNOWN_ONLY: Final = "".join(f".replace('${{{name}}}', '')" for name in VARIABLES)


def known_variables(field: str, text: str) -> str:
    """Give the text back, or raise ValueError when it uses a variable that does not exist."""
    unknown = [name for name in VARIABLE.findall(text) if name not in VARIABLES]
    if unknown:
        choices = ", ".join(f"${{{name}}}" for name in VARIABLES)
        raise ValueError(f"{field} uses ${{{unknown[0]}}}, which does not exist: use {choices}")
    return text


class Operator(StrEnum):
    """How a matcher compares, as in PromQL. Regular expressions match the whole value."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCH = "=~"
    NOT_MATCH = "!~"


class Matcher(Model):
    """A condition on one label of a series. A label that is absent counts as empty."""

    label: str = Field(
        max_length=200, pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$", description="Name of the label."
    )
    op: Operator = Field(
        default=Operator.EQUAL,
        description="Comparison: = and != with the text, =~ and !~ with a regular expression.",
    )
    value: str = Field(max_length=500, description="Text or regular expression (RE2).")

    @model_validator(mode="after")
    def _readable(self) -> "Matcher":
        if self.op in (Operator.MATCH, Operator.NOT_MATCH):
            try:
                re.compile(self.value)
            except re.error as error:
                raise ValueError(
                    f"value {self.value!r} of label {self.label} is no regular expression "
                    f"({error}): correct it, or compare with ="
                ) from error
        return self


class Counter(Model):
    """A counter: the sum of all series with this name that match."""

    metric: MetricName = Field(description="Name of the counter, such as http_requests_total.")
    matchers: tuple[Matcher, ...] = Field(
        default=(), max_length=16, description="Conditions on labels; all must hold."
    )


class Unit(StrEnum):
    """Unit of a histogram's bounds."""

    SECONDS = "Seconds"
    MILLISECONDS = "Milliseconds"


class Histogram(Model):
    """A classic histogram: its buckets are counters, so no quantile is ever estimated."""

    metric: MetricName = Field(
        description="Name without _bucket, such as http_request_duration_seconds."
    )
    matchers: tuple[Matcher, ...] = Field(
        default=(), max_length=16, description="Conditions on labels; all must hold."
    )
    unit: Unit = Field(
        default=Unit.SECONDS, description="Unit of the le label: Seconds or Milliseconds."
    )


class Margin(Model):
    """How much worse than stable is still allowed: `ratio` times stable's share + `absolute`."""

    ratio: float = Field(
        default=1.1, ge=1, le=10, description="Factor on stable's share of bad requests."
    )
    absolute: float = Field(
        default=0.001, ge=0, le=0.9, description="Share added to it; 0.001 is one in a thousand."
    )


class OnFail(StrEnum):
    """What a metric's Fail does."""

    ROLLBACK = "Rollback"
    IGNORE = "Ignore"


class MetricBase(Model):
    """What every kind of metric has."""

    name: Identifier = Field(description="Name of the metric in verdicts; unique in the policy.")
    on_fail: OnFail = Field(
        default=OnFail.ROLLBACK,
        description="Rollback: the metric gates the release. Ignore: it is only reported.",
    )


class RatioMetric(MetricBase):
    """Share of bad requests, candidate against stable."""

    model_config = Model.model_config | {
        "json_schema_extra": rules(
            (
                "self.kind != 'Ratio' || has(self.bad) == has(self.total)",
                "bad and total belong together: give both, or neither to take the preset's",
            )
        )
    }

    kind: Literal["Ratio"] = Field(default="Ratio", description="A share of bad requests.")
    bad: Counter | None = Field(
        default=None, description="Counts bad requests. Left out: the preset's server errors."
    )
    total: Counter | None = Field(
        default=None, description="Counts all requests. Left out: the preset's."
    )
    margin: Margin = Field(default=Margin(), description="How much worse than stable is allowed.")

    @model_validator(mode="after")
    def _both(self) -> "RatioMetric":
        if (self.bad is None) != (self.total is None):
            raise ValueError(
                "bad and total belong together: give both, or neither to take the preset's"
            )
        return self


class LatencyMetric(MetricBase):
    """Shares of requests slower than each bound, candidate against stable."""

    model_config = Model.model_config | {
        "json_schema_extra": rules(
            (
                (
                    "self.kind != 'Latency' || !has(self.bounds) || "
                    "self.bounds.all(a, self.bounds.filter(b, a == b).size() == 1)"
                ),
                "bounds must differ: drop the equal ones",
            )
        )
    }

    kind: Literal["Latency"] = Field(
        default="Latency", description="Shares of requests slower than bounds."
    )
    histogram: Histogram | None = Field(
        default=None, description="Times of requests. Left out: the preset's histogram."
    )
    bounds: tuple[Annotated[float, Field(ge=0.0001, le=3600)], ...] = Field(
        default=(0.25, 1.0),
        min_length=1,
        max_length=8,
        description="In seconds; each must be a bucket of the histogram. A request that is slower "
        "counts as bad for that bound.",
    )
    margin: Margin = Field(
        default=Margin(ratio=1.1, absolute=0.005),
        description="How much larger than stable's the share of slow requests may be.",
    )

    @model_validator(mode="after")
    def _distinct(self) -> "LatencyMetric":
        if len(set(self.bounds)) != len(self.bounds):
            raise ValueError(f"bounds must differ, not {list(self.bounds)}: drop the equal ones")
        return self


class Failures(Model):
    """How many measurements out of limits make a Fail."""

    model_config = Model.model_config | {
        "json_schema_extra": rules(
            (
                "!has(self.count) || !has(self.of) || self.count <= self.of",
                "count must not exceed of: lower count or raise of",
            )
        )
    }

    count: int = Field(default=3, ge=1, le=100, description="So many failed measurements ...")
    of: int = Field(default=5, ge=1, le=100, description="... among this many of the last.")

    @model_validator(mode="after")
    def _possible(self) -> "Failures":
        if self.count > self.of:
            raise ValueError(f"count {self.count} exceeds of {self.of}: lower count or raise of")
        return self


class ValueMetric(MetricBase):
    """A number from PromQL that must stay within limits. Outside the bound on false alarms."""

    model_config = Model.model_config | {
        "json_schema_extra": rules(
            (
                "self.kind != 'Value' || has(self.max) || has(self.min)",
                "set max, min or both: without a limit nothing can fail",
            ),
            (
                "self.kind != 'Value' || !has(self.max) || !has(self.min) || self.min <= self.max",
                "min must not exceed max: swap them",
            ),
            (
                (
                    "self.kind != 'Value' || !has(self.query) || "
                    f"!self.query{_KNOWN_ONLY}.contains('${{')"
                ),
                "query uses a variable that does not exist: remove it",
            ),
        )
    }

    kind: Literal["Value"] = Field(default="Value", description="A number within limits.")
    query: str = Field(
        min_length=1,
        max_length=4000,
        description="PromQL that gives one number. Variables: ${namespace}, ${service}, ${track}, "
        "${hash}, ${pods}, ${route}, ${canary}; they name the candidate's side.",
    )
    max: float | None = Field(default=None, description="Largest value that is good.")
    min: float | None = Field(default=None, description="Smallest value that is good.")
    failures: Failures = Field(
        default=Failures(), description="Fail when so many of the last measurements are bad."
    )

    @model_validator(mode="after")
    def _limited(self) -> "ValueMetric":
        if self.max is None and self.min is None:
            raise ValueError("set max, min or both: without a limit nothing can fail")
        if self.max is not None and self.min is not None and self.min > self.max:
            raise ValueError(f"min {self.min} exceeds max {self.max}: swap them")
        known_variables("query", self.query)
        return self


Metric: TypeAlias = Annotated[
    RatioMetric | LatencyMetric | ValueMetric, Field(discriminator="kind")
]
