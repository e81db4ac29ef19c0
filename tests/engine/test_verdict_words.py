from datetime import UTC, datetime

import pytest

from rollout.analysis.verdict import Reason, ReleaseVerdict, Verdict
from rollout.engine.verdicts import in_words

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("reason", "result"),
    [(Reason.NOT_WORSE, "Pass"), (Reason.REFERENCE_READY, "Undecided")],
)
def test_nobody_is_told_of_a_pass_before_there_is_a_candidate(reason: Reason, result: str) -> None:
    """That there is enough to compare with passes a step, and says nothing of the new version."""
    said = in_words(ReleaseVerdict(Verdict.PASS, reason, "380 requests on stable", NOW))
    assert (said.result, said.reason) == (result, str(reason))
