"""The judge's verdict, as the status and the conditions of a release tell it."""

from typing import Final

from rollout.analysis import verdict as analysis
from rollout.analysis.counts import Counts
from rollout.engine.draft import Draft
from rollout.resources.release import MetricVerdict, Phase, SideCounts, Verdict

MISSING: Final = frozenset({analysis.Verdict.NO_DATA, analysis.Verdict.ERROR})


def note_verdict(draft: Draft) -> None:
    """Put the judge's newest verdict into the status."""
    verdict = draft.snapshot.verdict
    if verdict is None or draft.phase.ended or draft.phase is Phase.PREPARING:
        return
    told, now = draft.status.verdict, in_words(verdict)
    draft.update(verdict=now)
    if told is None or told.result != now.result:
        _tell(draft, verdict)
    missing = verdict.verdict in MISSING
    draft.condition(
        "MetricsAvailable",
        holds=not missing,
        reason=str(verdict.reason) if missing else "Read",
        message=verdict.message if missing else "",
    )


def _tell(draft: Draft, verdict: analysis.ReleaseVerdict) -> None:
    if draft.phase is Phase.ROLLING_BACK:
        return
    if verdict.verdict in MISSING | {analysis.Verdict.FAIL}:
        draft.tell(f"Verdict{verdict.verdict}", verdict.message, warning=True)
    elif _result(verdict) == analysis.Verdict.PASS:
        draft.tell("VerdictPass", verdict.message)


def in_words(verdict: analysis.ReleaseVerdict) -> Verdict:
    """Give a verdict in the form that the API stores."""
    return Verdict(
        result=_result(verdict),
        reason=str(verdict.reason),
        message=verdict.message,
        at=verdict.at,
        metrics=[_metric(metric) for metric in verdict.metrics],
    )


def _result(verdict: analysis.ReleaseVerdict | analysis.MetricVerdict) -> str:
    """Word what was found; to have something to compare with says nothing of the candidate."""
    if verdict.reason is analysis.Reason.REFERENCE_READY:
        return str(analysis.Verdict.UNDECIDED)
    return str(verdict.verdict)


def _metric(metric: analysis.MetricVerdict) -> MetricVerdict:
    return MetricVerdict(
        name=metric.name,
        result=_result(metric),
        reason=str(metric.reason),
        message=metric.message,
        stable=_side(metric.stable),
        candidate=_side(metric.candidate),
        value=metric.value,
        p_value=metric.p_value,
        limit=metric.limit,
        reference=str(metric.reference),
    )


def _side(counts: Counts | None) -> SideCounts | None:
    return None if counts is None else SideCounts(bad=counts.bad, total=counts.total)
