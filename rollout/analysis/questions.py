"""The questions asked of a comparison, in their order; the first with an answer gives it.

Harm comes before everything that is missing: what is proved stays proved when metrics break
afterwards. Only traffic that is not the same on both sides comes earlier, because then the counts
prove nothing.
"""

from collections.abc import Callable
from typing import Final

from rollout.analysis.comparison import Comparison
from rollout.analysis.look import Case, rounded
from rollout.analysis.mix import differs, share
from rollout.analysis.signals import Track
from rollout.analysis.verdict import Finding, MetricVerdict, Reason, Verdict

SUSPICION: Final = 0.1
"""Below this p-value nothing is passed: it looks bad, though it is not proved.

A healthy candidate looks so bad once in ten steps, and then waits for more requests; with 0.01 a
candidate with 5 % errors went out, because 3 errors of 75 are not that unlikely."""


def compare(comparison: Comparison) -> MetricVerdict:
    """Give the verdict of one signal with the numbers behind it."""
    finding = next(found for ask in QUESTIONS if (found := ask(comparison)) is not None)
    tested = not comparison.case.only_reference
    return MetricVerdict(
        name=comparison.signal.metric,
        verdict=finding.verdict,
        reason=finding.reason,
        message=finding.message,
        since=finding.since,
        gates=comparison.signal.gates,
        bound=comparison.signal.bound,
        stable=comparison.whole.stable,
        candidate=comparison.whole.candidate,
        p_value=comparison.p_value if tested else None,
        limit=comparison.limit if tested else None,
        reference=comparison.case.stage.reference,
    )


def _mixed(comparison: Comparison) -> Finding | None:
    """Ask whether it is other traffic than the weight says."""
    case, step, stratum = comparison.case, comparison.step, comparison.case.stratum
    if case.after_cutover or stratum is None or not (step.stable.total and step.candidate.total):
        return None
    expected = case.look.expected
    if not differs(step, expected, case.policy.share_tolerance):
        return None
    message = (
        f"{comparison.title}: the candidate has {share(step) * 100:.3g} % of the counted requests "
        f"at {_asked(case)}, so both sides do not count the same traffic: "
        f"{_why_mixed(case, share(step) * 100 < expected)}"
    )
    return Finding(Verdict.NO_DATA, Reason.TRAFFIC_MIX, message, stratum.since)


def _asked(case: Case) -> str:
    """Say what the routers were asked for."""
    expected = f"{case.look.expected:.3g} %"
    return f"weight {expected}" if case.look.share is None else f"{expected} of the ready pods"


def _why_mixed(case: Case, too_few: bool) -> str:  # noqa: FBT001 - one of two sentences
    """Say what is usually behind it, and what to do."""
    if case.look.share is not None:
        return "callers keep to connections that they have; let them open new ones"
    if too_few:
        return (
            "callers that do not pass the Ingress reach stable alone; count at the edge "
            "(preset envoy or ingress-nginx)"
        )
    return "some callers reach the candidate past the weights; count at the edge, or find them"


def _harm(comparison: Comparison) -> Finding | None:
    """Ask whether it is proved to be worse than allowed."""
    case, whole = comparison.case, comparison.whole
    few = min(whole.stable.total, whole.candidate.total) < case.to_fail
    if case.only_reference or few or comparison.p_value >= comparison.limit:
        return None
    chance = f"p {comparison.p_value:.1e} is below {comparison.limit:.1e}"
    return Finding(Verdict.FAIL, Reason.WORSE, f"{comparison.story()}: {chance}")


def _unreadable(comparison: Comparison) -> Finding | None:
    """Ask whether metrics can be read at all."""
    return comparison.case.trouble(comparison.title)


def _silent(comparison: Comparison) -> Finding | None:
    """Ask whether a side that we need has had no requests for so long that it is news."""
    case = comparison.case
    for track in _needed(comparison):
        heard = case.evidence.last_requests.get(track, case.stage.since)
        counted = comparison.step.side(track).total > 0
        since = case.listened(max(heard, case.stage.since) if counted else case.stage.since)
        gone = case.missing_for(since)
        if gone is not None:
            remark = case.evidence.remarks.get(track, "")
            message = f"{comparison.title}: no requests counted on {track} for {rounded(gone)}"
            full = f"{message}: {remark}" if remark else message
            return Finding(Verdict.NO_DATA, Reason.NO_REQUESTS, full, since)
    return None


def _needed(comparison: Comparison) -> tuple[Track, ...]:
    if comparison.case.only_reference:
        return (Track.STABLE,)
    if comparison.case.after_cutover and comparison.step.stable.total:
        return (Track.CANDIDATE,)
    return (Track.CANDIDATE, Track.STABLE)


def _scarce(comparison: Comparison) -> Finding | None:
    """Ask whether there are too few requests for a Pass."""
    wanted = comparison.case.to_pass
    sides = (Track.STABLE,) if comparison.case.only_reference else tuple(Track)
    for track in sides:
        total = comparison.step.side(track).total
        if total < wanted:
            message = f"{comparison.title}: {total:.0f} of {wanted} requests on {track} so far"
            return Finding(Verdict.UNDECIDED, Reason.FEW_REQUESTS, message)
    return None


def _suspicious(comparison: Comparison) -> Finding | None:
    """Ask whether it looks bad, though it is not proved."""
    if comparison.case.only_reference or comparison.p_value >= SUSPICION:
        return None
    message = f"{comparison.story()}: looks worse (p {comparison.p_value:.1e}), not proved"
    return Finding(Verdict.UNDECIDED, Reason.SUSPICIOUS, message)


def _good(comparison: Comparison) -> Finding:
    """Say that it is good: no other question had an answer."""
    if comparison.case.only_reference:
        total = comparison.step.stable.total
        message = f"{comparison.title}: {total:.0f} requests on stable to compare with"
        return Finding(Verdict.PASS, Reason.REFERENCE_READY, message)
    return Finding(Verdict.PASS, Reason.NOT_WORSE, comparison.story())


QUESTIONS: Final[tuple[Callable[[Comparison], Finding | None], ...]] = (
    _mixed,
    _harm,
    _unreadable,
    _silent,
    _scarce,
    _suspicious,
    _good,
)
