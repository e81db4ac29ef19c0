"""The test of Value metrics: so many of the last measurements out of limits are a Fail.

A number from PromQL comes without counts, so nothing can be said about chance: it stands outside
the bound on false alarms.
"""

from datetime import datetime

from rollout.analysis.evidence import Measured
from rollout.analysis.verdict import Finding, Reason, Verdict
from rollout.resources.metric import ValueMetric


def out_of_limits(metric: ValueMetric, value: float) -> bool:
    """Tell whether a measurement counts as failed."""
    above = metric.max is not None and value > metric.max
    below = metric.min is not None and value < metric.min
    return above or below


def limits(metric: ValueMetric) -> str:
    """Say what is allowed: `at most 5`, `at least 1`, `1 to 5`."""
    if metric.min is None:
        return f"at most {metric.max:g}"
    return f"at least {metric.min:g}" if metric.max is None else f"{metric.min:g} to {metric.max:g}"


def judge_values(metric: ValueMetric, measured: tuple[Measured, ...], since: datetime) -> Finding:
    """Judge the last measurements; before a Pass enough of them must be from this step."""
    last = measured[-metric.failures.of :]
    failed = sum(out_of_limits(metric, one.value) for one in last)
    story = f"{metric.name}: {failed} of the last {len(last)} measurements not {limits(metric)}"
    if failed >= metric.failures.count:
        return Finding(Verdict.FAIL, Reason.OUT_OF_LIMITS, story)
    fresh = sum(one.at >= since for one in last)
    if fresh < metric.failures.count:
        wanted = f"{fresh} of {metric.failures.count} measurements so far in this step"
        return Finding(Verdict.UNDECIDED, Reason.FEW_VALUES, f"{metric.name}: {wanted}")
    return Finding(Verdict.PASS, Reason.WITHIN_LIMITS, story)
