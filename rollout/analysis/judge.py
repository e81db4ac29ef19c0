"""Evidence in, verdict out: pure, so that a verdict can be explained and replayed."""

from collections.abc import Iterator
from datetime import datetime

from rollout.analysis.comparison import Comparison
from rollout.analysis.evidence import Evidence
from rollout.analysis.limits import judge_values
from rollout.analysis.look import Case, Look, rounded
from rollout.analysis.questions import compare
from rollout.analysis.signals import Track, signals
from rollout.analysis.verdict import (
    Finding,
    MetricVerdict,
    Reason,
    ReleaseVerdict,
    Verdict,
    worst,
)
from rollout.resources.metric import OnFail, ValueMetric
from rollout.resources.policy import Bounded, RolloutPolicySpec


def judge(
    policy: RolloutPolicySpec, evidence: Evidence, look: Look, now: datetime
) -> ReleaseVerdict:
    """Judge a release at its current step or bake.

    The same arguments give the same verdict. Over a whole release, whatever the number of looks,
    the chance that a candidate within the margins gets a Fail from the metrics that count
    requests is at most `policy.alpha`. Value metrics, and the bake (compared with what stable
    showed before the cutover), stand outside that promise.
    """
    case = Case(policy, evidence, look, now)
    metrics = tuple(_verdicts(case))
    gating = [metric for metric in metrics if metric.gates]
    if now < look.stage.since and not case.only_reference:
        return _release(case, _warming(case), metrics)
    if not gating:
        return _release(case, _nothing_gates(), metrics)
    return _release(case, _as_finding(worst(gating)), metrics)


def _verdicts(case: Case) -> Iterator[MetricVerdict]:
    """Give one verdict per metric, in the policy's order."""
    compared = [compare(Comparison(case, signal)) for signal in signals(case.policy)]
    for metric in case.policy.metrics:
        if isinstance(metric, ValueMetric):
            yield _value_verdict(case, metric)
        else:
            yield worst(verdict for verdict in compared if verdict.name == metric.name)


def _value_verdict(case: Case, metric: ValueMetric) -> MetricVerdict:
    measured = case.evidence.values.get(metric.name, ())
    finding = judge_values(metric, measured, case.stage.since)
    if finding.verdict is not Verdict.FAIL:
        finding = case.trouble(metric.name) or _no_value(case, metric) or finding
    return MetricVerdict(
        name=metric.name,
        verdict=finding.verdict,
        reason=finding.reason,
        message=finding.message,
        since=finding.since,
        gates=metric.on_fail is OnFail.ROLLBACK,
        value=measured[-1].value if measured else None,
    )


def _no_value(case: Case, metric: ValueMetric) -> Finding | None:
    measured = case.evidence.values.get(metric.name, ())
    last = measured[-1].at if measured else case.stage.since
    since = case.listened(max(last, case.stage.since))
    gone = case.missing_for(since)
    if gone is None:
        return None
    remark = case.evidence.remarks.get(Track.CANDIDATE, "")
    message = f"{metric.name}: the query has given no number for {rounded(gone)}"
    full = f"{message}: {remark}" if remark else message
    return Finding(Verdict.NO_DATA, Reason.NO_VALUE, full, since)


def _as_finding(metric: MetricVerdict) -> Finding:
    return Finding(metric.verdict, metric.reason, metric.message, metric.since)


def _warming(case: Case) -> Finding:
    left = rounded(case.stage.since - case.now)
    return Finding(
        Verdict.UNDECIDED, Reason.WARMING_UP, f"nothing is counted for another {left}: warm-up"
    )


def _nothing_gates() -> Finding:
    return Finding(Verdict.PASS, Reason.NOTHING_GATES, "no metric gates: all have onFail Ignore")


def _release(case: Case, finding: Finding, metrics: tuple[MetricVerdict, ...]) -> ReleaseVerdict:
    bound = _bound(case.policy, finding)
    return ReleaseVerdict(
        verdict=finding.verdict,
        reason=finding.reason,
        message=finding.message,
        at=case.now,
        metrics=metrics,
        look=case.evidence.looks,
        planned=case.look.planned,
        reference=case.stage.reference,
        since=finding.since,
        deadline=finding.since + bound.hold if bound and finding.since else None,
        then=bound.then if bound else None,
    )


def _bound(policy: RolloutPolicySpec, finding: Finding) -> Bounded | None:
    if finding.verdict is Verdict.NO_DATA:
        return policy.no_data
    return policy.provider_error if finding.verdict is Verdict.ERROR else None
