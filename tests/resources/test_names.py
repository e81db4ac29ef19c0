"""Whatever is shipped, of whichever Rollout: a release gets a name and labels that are taken."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rollout.commands.start import release_name
from rollout.engine.trigger import release_name as template_release_name
from rollout.resources.image import version_fault
from rollout.resources.names import LONGEST_LABEL, label_value
from rollout.simulate.validation import names

ROLLOUTS = st.lists(
    st.sampled_from(["a", "1", "b-c", "d--e", "f" * 19, "g" * 30]), min_size=1, max_size=8
).map(".".join)
TAGS = st.text("aB1_.-", max_size=80).map("v{}".format)


@given(rollout=ROLLOUTS, version=TAGS)
@example(rollout="web", version="v1..2")
@example(rollout="web", version="v1.2_.3")
@example(rollout="web", version=f"v{'1' * 38}.2")
@example(rollout=f"{'a' * 39}.b", version="_")
def test_every_tag_makes_a_name_that_is_taken(rollout: str, version: str) -> None:
    assert not version_fault(version)
    by_hand = release_name(rollout, version)
    by_edit = template_release_name(rollout, f"local/web:{version}", "0123456789", frozenset())
    assert (names.subdomain(by_hand), names.subdomain(by_edit)) == ([], [])


@given(ROLLOUTS)
@example(f"{'a' * 62}-b")
@example(f"{'a' * 62}.b")
def test_every_name_makes_a_label_that_is_taken(name: str) -> None:
    assert names.label_value(label_value(name)) == []
    assert name.startswith(label_value(name))


@pytest.mark.parametrize("name", ["web", "a" * LONGEST_LABEL])
def test_a_name_that_is_short_enough_is_the_label_itself(name: str) -> None:
    assert label_value(name) == name
