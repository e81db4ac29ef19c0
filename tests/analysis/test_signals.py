import pytest

from rollout.analysis.signals import signals
from rollout.resources.metric import LatencyMetric, OnFail, RatioMetric
from rollout.resources.policy import RolloutPolicySpec


def test_each_bound_of_a_latency_is_a_signal() -> None:
    names = [signal.name for signal in signals(RolloutPolicySpec())]
    assert names == ["errors", "latency>0.25s", "latency>1s"]


def test_parts_of_alpha_sum_to_one() -> None:
    assert sum(signal.part for signal in signals(RolloutPolicySpec())) == pytest.approx(1)


def test_errors_get_half_of_alpha_and_bounds_share_the_other_half() -> None:
    assert [s.part for s in signals(RolloutPolicySpec())] == pytest.approx([0.5, 0.25, 0.25])


def test_metric_that_is_only_reported_takes_nothing_from_those_that_gate() -> None:
    policy = RolloutPolicySpec(
        metrics=(
            RatioMetric(name="errors"),
            LatencyMetric(name="latency", bounds=(0.5,), on_fail=OnFail.IGNORE),
        )
    )
    errors, latency = signals(policy)
    assert (errors.part, errors.gates) == (1, True)
    assert (latency.part, latency.gates) == (1, False)
