"""Which release is meant, where several could be."""

import pytest

from rollout.commands.find import choose
from rollout.commands.refusal import UnclearError
from rollout.resources.release import Release
from tests import build


def test_candidates_that_are_not_named_are_counted() -> None:
    known = [Release.model_validate(build.release(f"web-v{number}")) for number in range(1, 11)]
    with pytest.raises(UnclearError) as refused:
        choose(known, "shop", "web")
    assert str(refused.value) == (
        "which release or Rollout web in namespace shop? Name one of: web-v1, web-v10, web-v2, "
        "web-v3, web-v4, web-v5, web-v6, web-v7 and 2 more"
    )
    with pytest.raises(UnclearError, match=r"web-v8$"):
        choose(known[:8], "shop", "web")
