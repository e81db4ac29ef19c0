import json
from dataclasses import replace

import pytest

from rollout.analysis.counts import Block, Counts, Failed, Missing, Reading
from rollout.analysis.evidence import Evidence, Measured, Reference, Trouble
from rollout.analysis.evidence_json import decode, encode
from rollout.analysis.ledger import Ledger
from rollout.analysis.signals import Track
from rollout.resources.duration import seconds
from rollout.resources.metric import Failures, ValueMetric
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.provider import PrometheusProvider
from tests.analysis.build import ERRORS, at, block, pair, seen, stage
from tests.analysis.test_counts import POD, reading


def test_blocks_of_one_stage_are_summed() -> None:
    evidence = Evidence()
    for second in range(3):
        evidence = evidence.with_block(block(second, second + 1, pair(1, 10, 0, 40)), stage())
    (stratum,) = evidence.strata
    assert stratum.pairs["errors"] == pair(3, 30, 0, 120)
    assert (stratum.since, stratum.until) == (at(0), at(3))
    assert evidence.looks == 3


def test_weights_are_kept_apart() -> None:
    evidence = Evidence().with_block(block(0, 1, pair(1, 10, 0, 90)), stage(10))
    evidence = evidence.with_block(block(1, 2, pair(5, 50, 0, 50)), stage(50, since=1))
    assert evidence.pairs("errors", Reference.CONCURRENT) == (
        pair(1, 10, 0, 90),
        pair(5, 50, 0, 50),
    )


def test_resumed_release_begins_a_stage_of_its_own() -> None:
    evidence = Evidence().with_block(block(0, 1, pair(1, 10, 0, 90)), stage(10))
    evidence = evidence.with_block(block(9, 10, pair(5, 50, 0, 50)), stage(10, since=9))
    resumed = evidence.stratum(stage(10, since=9))
    assert resumed is not None
    assert resumed.pairs["errors"] == pair(5, 50, 0, 50)
    assert len(evidence.pairs("errors", Reference.CONCURRENT)) == 2


def test_block_that_began_before_its_stage_is_not_counted() -> None:
    evidence = Evidence().with_block(block(4, 6, pair(1, 10, 0, 90)), stage(since=5))
    assert evidence == Evidence()


def test_block_that_overlaps_what_is_counted_is_not_counted_again() -> None:
    evidence = seen(pair(1, 10, 0, 90))
    assert evidence.with_block(block(5, 12, pair(1, 10, 0, 90)), stage()) == evidence


def test_looks_lost_in_a_gap_are_spent() -> None:
    """A controller that was away cannot know what it looked at in the meantime."""
    evidence = Evidence().with_block(block(0, 1, pair(0, 1, 0, 1)), stage())
    evidence = evidence.with_block(block(31, 32, pair(0, 1, 0, 1)), stage())
    assert evidence.looks == 32


def test_collecting_the_reference_spends_no_look() -> None:
    evidence = Evidence().with_block(block(0, 1, pair(0, 0, 1, 90)), stage(0))
    assert evidence.looks == 0
    assert evidence.strata[0].pairs["errors"] == pair(0, 0, 1, 90)


def test_time_of_the_last_request_is_kept_per_side() -> None:
    evidence = Evidence().with_block(block(0, 1, pair(0, 2, 0, 9)), stage())
    evidence = evidence.with_block(block(1, 2, pair(0, 0, 0, 9)), stage())
    assert evidence.last_requests == {Track.STABLE: at(2), Track.CANDIDATE: at(1)}


def test_frozen_reference_is_what_stable_showed_before() -> None:
    evidence = Evidence().with_block(block(0, 1, pair(1, 10, 2, 90)), stage(10))
    evidence = evidence.with_block(block(1, 2, pair(5, 50, 3, 50)), stage(50, since=1)).frozen()
    assert evidence.before is not None
    assert evidence.before.counts == {"errors": Counts(5, 140)}
    assert (evidence.before.since, evidence.before.until) == (at(0), at(2))


def test_reference_once_frozen_never_changes() -> None:
    evidence = seen(pair(1, 10, 2, 90)).frozen()
    assert evidence.with_block(block(10, 11, pair(1, 1, 9, 9)), stage()).frozen().before == (
        evidence.before
    )


def test_freezing_without_evidence_changes_nothing() -> None:
    assert Evidence().frozen() == Evidence()


def test_after_cutover_the_frozen_counts_are_stables_side() -> None:
    baking = stage(100, since=10, reference=Reference.BEFORE)
    evidence = seen(pair(1, 10, 2, 90)).frozen()
    evidence = evidence.with_block(block(10, 11, pair(7, 100, 0, 0)), baking)
    assert evidence.pairs("errors", Reference.BEFORE) == (pair(7, 100, 2, 90),)
    assert evidence.pairs("errors", Reference.CONCURRENT) == (pair(1, 10, 2, 90),)


def test_after_cutover_without_a_reference_stable_is_empty() -> None:
    baking = stage(100, reference=Reference.BEFORE)
    evidence = Evidence().with_block(block(0, 1, pair(7, 100, 0, 0)), baking)
    assert evidence.pairs("errors", Reference.BEFORE) == (pair(7, 100, 0, 0),)


def test_only_the_last_measurements_are_kept() -> None:
    evidence = Evidence()
    for second in range(5):
        evidence = evidence.with_value("queue", Measured(at(second), second), keep=3)
    assert [one.value for one in evidence.values["queue"]] == [2, 3, 4]


def test_trouble_keeps_the_time_it_began() -> None:
    evidence = Evidence().with_trouble(at(1), "refused").with_trouble(at(5), "timed out")
    assert evidence.trouble == Trouble(at(1), "timed out")
    assert evidence.with_remarks({}).trouble is None


# --- ledger


def test_ledger_counts_readings_into_the_stage() -> None:
    ledger = Ledger(ERRORS)
    for second, value in [(0, 100), (1, 110), (2, 125)]:
        ledger = ledger.take(reading(second, {POD: value}, "pod-a"), stage())
    assert ledger.evidence.strata[0].pairs["errors"] == pair(0, 25, 0, 0)


def test_ledger_drops_the_block_in_which_the_weight_changed() -> None:
    ledger = Ledger(ERRORS)
    for second, value in [(0, 100), (1, 110), (2, 125)]:
        ledger = ledger.take(reading(second, {POD: value}, "pod-a"), stage(since=0.5))
    assert ledger.evidence.strata[0].pairs["errors"] == pair(0, 15, 0, 0)


def test_ledger_without_its_counting_loses_one_block_and_counts_none_twice() -> None:
    ledger = Ledger(ERRORS)
    for second, value in [(0, 100), (1, 110)]:
        ledger = ledger.take(reading(second, {POD: value}, "pod-a"), stage())
    ledger = Ledger(ERRORS, decode(encode(ledger.evidence)))
    for second, value in [(2, 120), (3, 127)]:
        ledger = ledger.take(reading(second, {POD: value}, "pod-a"), stage())
    assert ledger.evidence.strata[0].pairs["errors"] == pair(0, 17, 0, 0)
    assert ledger.evidence.looks == 3


def test_failure_of_the_provider_is_kept_until_a_reading_works() -> None:
    ledger = Ledger(ERRORS).take(Failed(at(1), "connection refused"), stage())
    assert ledger.evidence.trouble == Trouble(at(1), "connection refused")
    assert ledger.take(reading(2, {POD: 1}), stage()).evidence.trouble is None


def test_missing_data_is_no_trouble_and_is_remembered_in_words() -> None:
    ledger = Ledger(ERRORS).take(Missing(at(1), "no pods"), stage())
    assert ledger.evidence.trouble is None
    assert ledger.evidence.remarks == {Track.STABLE: "no pods", Track.CANDIDATE: "no pods"}


def test_values_are_measured_from_the_stage_on() -> None:
    policy = RolloutPolicySpec(
        provider=PrometheusProvider(address="http://prometheus:9090"),
        metrics=(ValueMetric(name="queue", query="x", max=1, failures=Failures(count=1, of=2)),),
        interval=seconds(1),
    )
    ledger = Ledger(policy)
    for second in range(4):
        one = Reading(at(second), {}, values={"queue": second, "other": 1})
        ledger = ledger.take(one, stage(since=1))
    assert ledger.evidence.values == {"queue": (Measured(at(2), 2), Measured(at(3), 3))}


# --- JSON


def full() -> Evidence:
    evidence = seen(pair(1, 10, 2, 90)).frozen()
    evidence = evidence.with_block(
        block(10, 11, pair(7, 100, 0, 0)), stage(100, since=10, reference=Reference.BEFORE)
    )
    evidence = evidence.with_value("queue", Measured(at(3.25), 1.5), keep=3)
    return replace(evidence.with_remarks({Track.CANDIDATE: "slow"}), trouble=Trouble(at(9), "x"))


@pytest.mark.parametrize("evidence", [Evidence(), full()])
def test_evidence_survives_json(evidence: Evidence) -> None:
    assert decode(json.loads(json.dumps(encode(evidence)))) == evidence


def test_empty_evidence_is_short() -> None:
    assert encode(Evidence()) == {"looks": 0}


def test_evidence_of_a_long_release_stays_small() -> None:
    policy = RolloutPolicySpec()
    evidence = Evidence()
    for second in range(2000):
        evidence = evidence.with_block(
            Block(at(second), at(second + 1), block(0, 1, pair(1, 10, 2, 90), policy).pairs),
            stage(1 + second // 200),
        )
    assert len(json.dumps(encode(evidence))) < 5000


@pytest.mark.parametrize(
    "document",
    [
        {"looks": "many"},
        {"strata": [{"weight": 5}]},
        {"until": "2026-01-01T00:00:00"},
        {"until": 7},
        {"values": {"queue": [[1]]}},
        {"lastRequests": {"blue": "2026-01-01T00:00:00Z"}},
        {"before": {"since": "never"}},
        {"trouble": "x"},
    ],
)
def test_edited_evidence_is_refused_with_field_and_fix(document: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"status\.evidence .* remove the field"):
        decode(document)
