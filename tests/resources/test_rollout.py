"""What starts a release, and what that does to one that runs."""

from typing import Any

import pytest
from pydantic import ValidationError

from rollout.resources.rollout import Rollout
from tests import build


def spec(**fields: Any) -> Any:
    return Rollout.model_validate(build.rollout(**fields)).spec


def test_by_default_a_command_starts_a_release_and_a_second_one_is_refused() -> None:
    found = spec()
    assert (found.by_template, found.supersedes) == (False, False)


def test_a_newer_template_takes_the_place_of_what_runs() -> None:
    found = spec(trigger="Template")
    assert (found.by_template, found.supersedes) == (True, True)


def test_a_newer_release_takes_the_place_of_what_runs_when_that_is_asked_for() -> None:
    found = spec(onNewRelease="Supersede")
    assert (found.by_template, found.supersedes) == (False, True)


def test_a_trigger_that_follows_git_cannot_refuse_a_newer_template() -> None:
    with pytest.raises(ValidationError, match="leave onNewRelease out or set it to Supersede"):
        spec(trigger="Template", onNewRelease="Reject")
