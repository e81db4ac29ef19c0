"""The tag of an image says what is wrong with it."""

import pytest

from rollout.sandbox.service.dials import DialError, Dials, read_dials


@pytest.mark.parametrize(
    ("tag", "dials"),
    [
        ("v1.2.4", Dials()),
        ("v1.2.4-rc1", Dials()),
        ("v1.2.4-errors5", Dials(errors=0.05)),
        ("v1.2.4-slow20x300", Dials(slow_share=0.2, slow_seconds=0.3)),
        ("v1.2.4-startup3", Dials(startup_seconds=3)),
        ("v1.2.4-crash2", Dials(crash_after=2)),
        ("v1.2.4-neverready", Dials(never_ready=True)),
        ("v1.2.4-overload20", Dials(overload=20)),
        ("v1.2.4-linger5", Dials(linger=5)),
        ("v2-errors5-startup1", Dials(errors=0.05, startup_seconds=1)),
    ],
)
def test_a_tag_turns_the_dials(tag: str, dials: Dials) -> None:
    assert read_dials(tag) == dials


@pytest.mark.parametrize("tag", ["v1-errors", "v1-errors101", "v1-slow20", "v1-crash"])
def test_a_dial_that_cannot_be_read_is_named_with_its_form(tag: str) -> None:
    with pytest.raises(DialError, match=r"dial .* does not take .*; write"):
        read_dials(tag)


def test_the_environment_wins() -> None:
    found = read_dials("v1-errors5", {"ROLLOUT_SAMPLE_ERRORS": "50", "HOME": "/"})
    assert found == Dials(errors=0.5)
