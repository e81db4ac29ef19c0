from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.analysis.spending import planned_looks, spent_at, spent_by


@given(planned=st.integers(1, 500), looks=st.integers(1, 2000))
def test_all_looks_together_never_spend_more_than_alpha(planned: int, looks: int) -> None:
    spent = sum(spent_at(0.01, look, planned) for look in range(1, looks + 1))
    assert spent == pytest.approx(spent_by(0.01, looks, planned))
    assert spent < 0.01


def test_planned_looks_spend_half_of_alpha_evenly() -> None:
    spent = [spent_at(0.01, look, 20) for look in range(1, 21)]
    assert spent == pytest.approx([0.01 / 40] * 20)


@given(planned=st.integers(1, 500), beyond=st.integers(1, 10_000))
def test_looks_beyond_the_plan_still_have_something_to_spend(planned: int, beyond: int) -> None:
    assert spent_at(0.01, planned + beyond, planned) > 0


def test_alpha_of_looks_falls_beyond_the_plan() -> None:
    spent = [spent_at(0.01, look, 10) for look in range(10, 60)]
    assert spent == sorted(spent, reverse=True)


def test_planned_looks_are_those_of_all_steps() -> None:
    durations = [timedelta(seconds=60), timedelta(seconds=25), timedelta(seconds=0)]
    assert planned_looks(durations, timedelta(seconds=10)) == 6 + 3


def test_release_without_steps_has_one_planned_look() -> None:
    assert planned_looks([], timedelta(seconds=10)) == 1
