import pytest

from rollout.analysis.mix import differs, share
from tests.analysis.build import pair


@pytest.mark.parametrize("candidate", [150, 200, 250])
def test_share_near_the_weight_is_the_same_traffic(candidate: int) -> None:
    assert not differs(pair(0, candidate, 0, 1000 - candidate), 20, 0.5)


@pytest.mark.parametrize("candidate", [40, 450])
def test_share_far_from_the_weight_is_other_traffic(candidate: int) -> None:
    assert differs(pair(0, candidate, 0, 1000 - candidate), 20, 0.5)


def test_few_requests_prove_no_other_traffic() -> None:
    assert not differs(pair(0, 9, 0, 9), 20, 0.5)


@pytest.mark.parametrize("weight", [0, 100])
def test_weight_without_a_split_has_no_mix(weight: int) -> None:
    assert not differs(pair(0, 500, 0, 500), weight, 0.5)


def test_tolerance_of_one_switches_the_check_off() -> None:
    assert not differs(pair(0, 5000, 0, 1), 1, 1)


def test_high_weights_are_held_to_their_lower_side() -> None:
    assert not differs(pair(0, 1000, 0, 0), 90, 0.5)
    assert differs(pair(0, 100, 0, 900), 90, 0.5)


def test_share_is_the_candidates_part() -> None:
    assert share(pair(0, 10, 0, 30)) == 0.25
    assert share(pair(0, 0, 0, 0)) == 0
