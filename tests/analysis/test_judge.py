"""What the judge says and why; its error rate over whole releases is measured in tests/bench."""

from dataclasses import replace

import pytest

from rollout.analysis.evidence import Evidence, Measured, Reference
from rollout.analysis.judge import judge
from rollout.analysis.look import Look
from rollout.analysis.signals import Track
from rollout.analysis.verdict import Reason, ReleaseVerdict, Verdict
from rollout.resources.duration import seconds
from rollout.resources.metric import (
    Failures,
    LatencyMetric,
    Margin,
    OnFail,
    RatioMetric,
    ValueMetric,
)
from rollout.resources.policy import Bounded, RolloutPolicySpec, Then
from rollout.resources.provider import PrometheusProvider
from tests.analysis.build import ERRORS, at, block, look, pair, seen, stage

HEALTHY = pair(1, 200, 4, 800)
FAILING = pair(60, 200, 4, 800)
BAKING = stage(100, since=10, reference=Reference.BEFORE)


def verdict(
    evidence: Evidence,
    policy: RolloutPolicySpec = ERRORS,
    when: float = 10,
    asked: Look | None = None,
) -> ReleaseVerdict:
    return judge(policy, evidence, asked or look(), at(when))


def answer(
    evidence: Evidence,
    policy: RolloutPolicySpec = ERRORS,
    when: float = 10,
    asked: Look | None = None,
) -> tuple[Verdict, Reason]:
    said = verdict(evidence, policy, when, asked)
    return said.verdict, said.reason


# --- pass, fail, undecided


def test_healthy_candidate_passes() -> None:
    assert answer(seen(HEALTHY)) == (Verdict.PASS, Reason.NOT_WORSE)


def test_failing_candidate_fails_with_the_numbers_behind_it() -> None:
    said = verdict(seen(FAILING))
    (metric,) = said.metrics
    assert (said.verdict, said.reason) == (Verdict.FAIL, Reason.WORSE)
    assert metric.candidate is not None
    assert metric.stable is not None
    assert (metric.candidate.bad, metric.candidate.total) == (60, 200)
    assert (metric.stable.bad, metric.stable.total) == (4, 800)
    assert metric.p_value is not None
    assert metric.limit is not None
    assert metric.p_value < metric.limit
    assert said.message.startswith("errors 30 % (60 of 200) against 0.5 % (4 of 800) on stable")


def test_equal_arguments_give_equal_verdicts() -> None:
    assert verdict(seen(FAILING)) == verdict(seen(FAILING))


def test_margin_decides_what_is_worse() -> None:
    generous = Margin(ratio=1.0, absolute=0.4)
    policy = ERRORS.model_copy(update={"metrics": (RatioMetric(name="errors", margin=generous),)})
    assert answer(seen(FAILING, policy=policy), policy) == (Verdict.PASS, Reason.NOT_WORSE)


def test_few_requests_decide_nothing() -> None:
    assert answer(seen(pair(0, 49, 0, 800))) == (Verdict.UNDECIDED, Reason.FEW_REQUESTS)
    assert answer(seen(pair(0, 13, 0, 49))) == (Verdict.UNDECIDED, Reason.FEW_REQUESTS)


def test_message_about_few_requests_says_how_many_on_which_side() -> None:
    assert verdict(seen(pair(0, 49, 0, 800))).message == (
        "errors: 49 of 50 requests on candidate so far"
    )


def test_no_fail_on_fewer_requests_than_the_policy_wants() -> None:
    few = seen(pair(19, 19, 0, 80))
    assert answer(few) == (Verdict.UNDECIDED, Reason.FEW_REQUESTS)
    assert answer(seen(pair(20, 20, 0, 80)))[0] is Verdict.FAIL


def test_minimum_to_fail_never_exceeds_the_minimum_to_pass() -> None:
    policy = ERRORS.model_copy(update={"minimum_requests": 10})
    assert answer(seen(pair(12, 12, 0, 50)), policy)[0] is Verdict.FAIL


def test_step_may_wish_for_more_requests() -> None:
    asked = look(minimum=300)
    assert answer(seen(HEALTHY), asked=asked) == (Verdict.UNDECIDED, Reason.FEW_REQUESTS)


def test_each_step_needs_requests_of_its_own() -> None:
    evidence = seen(HEALTHY).with_block(block(10, 11, pair(0, 9, 0, 9)), stage(50, since=10))
    said = answer(evidence, when=11, asked=look(stage(50, since=10)))
    assert said == (Verdict.UNDECIDED, Reason.FEW_REQUESTS)


def test_harm_of_an_earlier_step_still_counts() -> None:
    """Few errors at 5 % and few at 50 % are proof together."""
    early, late = pair(3, 60, 0, 1140), pair(7, 150, 0, 150)
    where = stage(50, since=10)
    both = seen(early, where=stage(5)).with_block(block(10, 20, late), where)
    alone = Evidence().with_block(block(10, 20, late), where)
    assert answer(both, when=20, asked=look(where))[0] is Verdict.FAIL
    assert answer(alone, when=20, asked=look(where))[0] is Verdict.UNDECIDED


def test_what_looks_bad_is_not_passed() -> None:
    assert answer(seen(pair(9, 200, 8, 800))) == (Verdict.UNDECIDED, Reason.SUSPICIOUS)


def test_limit_of_a_look_is_alpha_divided_over_looks_and_signals() -> None:
    (metric,) = verdict(seen(HEALTHY), asked=look(planned=50)).metrics
    assert metric.limit == pytest.approx(0.01 / 2 / 50)
    errors, latency = verdict(
        seen(HEALTHY, policy=DEFAULT), DEFAULT, asked=look(planned=50)
    ).metrics
    assert errors.limit == pytest.approx(0.01 / 2 / 50 / 2)
    assert latency.limit == pytest.approx(0.01 / 2 / 50 / 4)


DEFAULT = RolloutPolicySpec(minimum_requests=50, interval=seconds(1))


def test_latency_is_judged_by_its_worst_bound() -> None:
    pairs = {"errors": HEALTHY, "latency>0.25s": FAILING, "latency>1s": HEALTHY}
    counted = replace(block(0, 10, HEALTHY), pairs=pairs)
    said = verdict(Evidence().with_block(counted, stage()), DEFAULT)
    latency = next(metric for metric in said.metrics if metric.name == "latency")
    assert (said.verdict, latency.bound) == (Verdict.FAIL, 0.25)
    assert "latency over 0.25s 30 %" in said.message


def test_metric_that_is_only_reported_does_not_fail_the_release() -> None:
    shown = RatioMetric(name="shown", on_fail=OnFail.IGNORE)
    policy = ERRORS.model_copy(update={"metrics": (*ERRORS.metrics, shown)})
    counted = replace(block(0, 10, HEALTHY), pairs={"errors": HEALTHY, "shown": FAILING})
    said = verdict(Evidence().with_block(counted, stage()), policy)
    assert said.verdict is Verdict.PASS
    assert [metric.verdict for metric in said.metrics] == [Verdict.PASS, Verdict.FAIL]


def test_policy_in_which_nothing_gates_passes_and_says_so() -> None:
    shown = RatioMetric(name="shown", on_fail=OnFail.IGNORE)
    policy = ERRORS.model_copy(update={"metrics": (shown,)})
    assert answer(seen(FAILING, policy=policy), policy) == (Verdict.PASS, Reason.NOTHING_GATES)


def test_nothing_is_judged_in_the_warm_up() -> None:
    asked = look(stage(since=15))
    assert answer(Evidence(), asked=asked) == (Verdict.UNDECIDED, Reason.WARMING_UP)


# --- missing data


def test_no_traffic_is_no_data_with_a_deadline() -> None:
    said = verdict(Evidence(), when=30)
    assert (said.verdict, said.reason) == (Verdict.NO_DATA, Reason.NO_REQUESTS)
    assert (said.since, said.deadline, said.then) == (at(0), at(300), Then.PAUSE)
    assert said.overdue is None


def test_after_the_bound_the_policys_choice_is_due() -> None:
    policy = ERRORS.model_copy(update={"no_data": Bounded(hold=seconds(20), then=Then.ROLLBACK)})
    assert verdict(Evidence(), policy, when=19.9).overdue is None
    assert verdict(Evidence(), policy, when=20).overdue is Then.ROLLBACK


def test_silence_while_nobody_was_there_to_listen_is_no_news() -> None:
    """After a change of leader the bound counts from the new one's first moment."""
    policy = ERRORS.model_copy(update={"no_data": Bounded(hold=seconds(20), then=Then.ROLLBACK)})
    heard = replace(look(), listening=at(25))
    assert verdict(Evidence(), policy, asked=heard, when=27).verdict is Verdict.UNDECIDED
    said = verdict(Evidence(), policy, asked=heard, when=40)
    assert (said.verdict, said.since, said.overdue) == (Verdict.NO_DATA, at(25), None)
    assert verdict(Evidence(), policy, asked=heard, when=45).overdue is Then.ROLLBACK


def test_trouble_before_somebody_listened_counts_from_then() -> None:
    policy = ERRORS.model_copy(
        update={"provider_error": Bounded(hold=seconds(20), then=Then.ADVANCE)}
    )
    evidence = Evidence().with_trouble(at(1), "connection refused")
    heard = replace(look(), listening=at(25))
    assert verdict(evidence, policy, asked=heard, when=40).overdue is None
    assert verdict(evidence, policy, asked=heard, when=45).overdue is Then.ADVANCE


def test_short_silence_is_no_news() -> None:
    assert answer(Evidence(), when=2.9) == (Verdict.UNDECIDED, Reason.FEW_REQUESTS)


def test_silence_of_one_side_is_no_data_since_its_last_request() -> None:
    evidence = seen(HEALTHY)
    for second in range(10, 16):
        evidence = evidence.with_block(block(second, second + 1, pair(0, 0, 0, 80)), stage())
    said = verdict(evidence, when=16)
    assert (said.verdict, said.since) == (Verdict.NO_DATA, at(10))
    assert "no requests counted on candidate for 6s" in said.message


def test_candidate_without_any_request_is_no_data_not_another_mix() -> None:
    assert answer(seen(pair(0, 0, 0, 5000))) == (Verdict.NO_DATA, Reason.NO_REQUESTS)


def test_reason_for_silence_is_told_when_it_is_known() -> None:
    evidence = Evidence().with_remarks({Track.CANDIDATE: "3 of 3 pods refused"})
    assert verdict(evidence, when=30).message.endswith("3 of 3 pods refused")


def test_signal_that_is_never_counted_is_no_data_though_others_are() -> None:
    counted = replace(block(0, 10, HEALTHY), pairs={"errors": HEALTHY})
    said = verdict(Evidence().with_block(counted, stage()), DEFAULT)
    assert [m.verdict for m in said.metrics] == [Verdict.PASS, Verdict.NO_DATA]
    assert said.verdict is Verdict.NO_DATA


def test_provider_that_fails_is_an_error_with_its_own_bound() -> None:
    policy = ERRORS.model_copy(
        update={"provider_error": Bounded(hold=seconds(20), then=Then.ADVANCE)}
    )
    evidence = seen(HEALTHY).with_trouble(at(11), "connection refused")
    assert answer(evidence, policy, when=12) == (Verdict.PASS, Reason.NOT_WORSE)
    said = verdict(evidence, policy, when=15)
    assert (said.verdict, said.reason, said.since) == (Verdict.ERROR, Reason.PROVIDER, at(11))
    assert "connection refused" in said.message
    assert verdict(evidence, policy, when=31).overdue is Then.ADVANCE


def test_harm_that_is_proved_stands_when_the_provider_fails_afterwards() -> None:
    evidence = seen(FAILING).with_trouble(at(11), "connection refused")
    assert answer(evidence, when=60)[0] is Verdict.FAIL


def test_other_mix_of_traffic_than_the_weight_is_no_data() -> None:
    said = verdict(seen(pair(60, 500, 4, 500)))
    assert (said.verdict, said.reason) == (Verdict.NO_DATA, Reason.TRAFFIC_MIX)
    assert "50 % of the counted requests at weight 20 %" in said.message
    assert said.deadline == at(300)


def test_mix_is_compared_with_the_share_that_the_pods_make() -> None:
    counted = seen(pair(0, 8, 0, 480))
    by_weight = verdict(counted)
    by_pods = verdict(counted, asked=replace(look(), share=100 / 61))
    assert by_weight.reason is Reason.TRAFFIC_MIX
    assert by_pods.reason is not Reason.TRAFFIC_MIX


def test_mix_that_differs_from_the_pods_says_of_how_many_percent() -> None:
    said = verdict(seen(pair(60, 500, 4, 500)), asked=replace(look(), share=20.0))
    assert said.reason is Reason.TRAFFIC_MIX
    assert "at 20 % of the ready pods" in said.message


def test_mix_is_checked_anew_after_a_resume() -> None:
    where = stage(since=10)
    evidence = seen(pair(60, 500, 4, 500)).with_block(block(10, 20, pair(1, 200, 4, 800)), where)
    assert verdict(evidence, when=20, asked=look(where)).reason is not Reason.TRAFFIC_MIX


def test_mix_may_differ_when_the_policy_says_so() -> None:
    policy = ERRORS.model_copy(update={"share_tolerance": 1.0})
    assert answer(seen(pair(0, 500, 4, 500)), policy)[0] is Verdict.PASS


# --- before and after the cutover


def test_reference_is_ready_when_stable_has_enough_requests() -> None:
    preview = stage(0)
    asked = look(preview)
    assert answer(seen(pair(0, 0, 0, 49), where=preview), asked=asked) == (
        Verdict.UNDECIDED,
        Reason.FEW_REQUESTS,
    )
    assert answer(seen(pair(0, 0, 0, 50), where=preview), asked=asked) == (
        Verdict.PASS,
        Reason.REFERENCE_READY,
    )


def test_preview_requests_at_weight_0_are_not_judged() -> None:
    preview = stage(0)
    said = verdict(seen(pair(30, 30, 0, 900), where=preview), asked=look(preview))
    assert said.verdict is Verdict.PASS
    assert said.metrics[0].p_value is None


def test_stable_without_requests_gives_no_reference() -> None:
    assert answer(Evidence(), asked=look(stage(0))) == (Verdict.NO_DATA, Reason.NO_REQUESTS)


def baked(bad: float, total: float) -> Evidence:
    evidence = seen(pair(0, 0, 4, 800), where=stage(0)).frozen()
    return evidence.with_block(block(10, 12, pair(bad, total, 0, 0)), BAKING)


def test_bake_is_judged_against_what_stable_showed_before() -> None:
    good = verdict(baked(1, 200), when=12, asked=look(BAKING))
    assert (good.verdict, good.reference) == (Verdict.PASS, Reference.BEFORE)
    assert "on stable before the cutover" in good.message
    bad = verdict(baked(14, 200), when=12, asked=look(BAKING))
    assert bad.verdict is Verdict.FAIL
    assert bad.metrics[0].reference is Reference.BEFORE


def test_bake_does_not_wait_for_traffic_on_stable() -> None:
    assert answer(baked(1, 200), when=14, asked=look(BAKING))[0] is Verdict.PASS


def test_bake_without_a_reference_is_no_data() -> None:
    evidence = Evidence().with_block(block(10, 14, pair(9, 200, 0, 0)), BAKING)
    said = verdict(evidence, when=14, asked=look(BAKING))
    assert said.verdict is Verdict.NO_DATA
    assert "on stable" in said.message


# --- values

QUEUE = ValueMetric(name="queue", query="x", max=10, failures=Failures(count=3, of=5))
VALUES = RolloutPolicySpec(
    provider=PrometheusProvider(address="http://prometheus:9090"),
    metrics=(QUEUE,),
    interval=seconds(1),
)


def measured(*values: float, start: float = 0) -> Evidence:
    evidence = Evidence()
    for second, value in enumerate(values):
        evidence = evidence.with_value("queue", Measured(at(start + second), value), keep=5)
    return evidence


def test_three_of_the_last_five_out_of_limits_fail() -> None:
    said = verdict(measured(1, 11, 12, 2, 30), VALUES, when=5)
    assert (said.verdict, said.reason) == (Verdict.FAIL, Reason.OUT_OF_LIMITS)
    assert said.message == "queue: 3 of the last 5 measurements not at most 10"
    assert said.metrics[0].value == 30


def test_two_of_the_last_five_out_of_limits_pass() -> None:
    assert answer(measured(50, 50, 1, 1, 1), VALUES, when=5) == (
        Verdict.PASS,
        Reason.WITHIN_LIMITS,
    )


def test_old_failures_are_forgotten() -> None:
    assert answer(measured(50, 50, 1, 1, 1, 1, 50), VALUES, when=7)[0] is Verdict.PASS


def test_few_measurements_of_this_step_decide_nothing() -> None:
    asked = look(stage(since=4))
    assert answer(measured(1, 1, 1, 1, 1), VALUES, when=5, asked=asked) == (
        Verdict.UNDECIDED,
        Reason.FEW_VALUES,
    )


def test_query_without_a_number_is_no_data() -> None:
    said = verdict(measured(1, 1, 1), VALUES, when=9)
    assert (said.verdict, said.reason, said.since) == (Verdict.NO_DATA, Reason.NO_VALUE, at(2))


def test_value_that_cannot_be_read_is_an_error() -> None:
    evidence = measured(1, 1, 1).with_trouble(at(3), "timed out")
    assert answer(evidence, VALUES, when=9) == (Verdict.ERROR, Reason.PROVIDER)


@pytest.mark.parametrize(
    ("limits", "words"),
    [({"max": 5}, "at most 5"), ({"min": 1}, "at least 1"), ({"min": 1, "max": 5}, "1 to 5")],
)
def test_limits_are_said_in_words(limits: dict[str, float], words: str) -> None:
    metric = ValueMetric(name="queue", query="x", failures=Failures(count=1, of=1), **limits)
    policy = VALUES.model_copy(update={"metrics": (metric,)})
    assert words in verdict(measured(-3 if "min" in limits else 9), policy, when=1).message


def test_value_below_the_minimum_fails() -> None:
    metric = ValueMetric(name="queue", query="x", min=1, failures=Failures(count=1, of=1))
    policy = VALUES.model_copy(update={"metrics": (metric,)})
    assert answer(measured(0.5), policy, when=1)[0] is Verdict.FAIL


def test_bounds_that_fail_win_over_bounds_without_data() -> None:
    policy = RolloutPolicySpec(
        metrics=(LatencyMetric(name="latency", bounds=(0.25, 1.0)),), interval=seconds(1)
    )
    counted = replace(block(0, 10, HEALTHY), pairs={"latency>0.25s": FAILING})
    assert answer(Evidence().with_block(counted, stage()), policy)[0] is Verdict.FAIL
