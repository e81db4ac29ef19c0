"""Every snippet of the guide on metrics is what we and the API server take."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollout.metrics.bounded import LARGEST
from rollout.metrics.door import AGAIN_SECONDS, FRESH_SECONDS, LONGEST_URL
from rollout.resources.metric import VARIABLES
from rollout.resources.policy import Preset, RolloutPolicySpec
from rollout.resources.provider import PrometheusProvider

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
TEXT = PAGE.read_text()
SNIPPETS: list[dict[str, Any]] = [
    yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
]
POLICIES = [snippet for snippet in SNIPPETS if "kind" not in snippet]


@pytest.mark.parametrize("snippet", POLICIES, ids=lambda s: "-".join(s.get("provider", s)))
def test_each_snippet_is_a_part_of_a_policy(snippet: dict[str, Any]) -> None:
    read = RolloutPolicySpec.model_validate(snippet).to_json()
    assert set(snippet) <= set(read)
    assert set(snippet.get("provider", {})) <= set(read["provider"])


def test_the_other_snippets_are_the_role() -> None:
    (role,) = [snippet for snippet in SNIPPETS if "kind" in snippet]
    assert role["kind"] == "Role"
    assert role["rules"][0]["verbs"] == ["get"]


def test_every_setting_has_a_snippet() -> None:
    shown = {name for snippet in POLICIES for name in snippet.get("provider", {})}
    wanted = {field.alias or name for name, field in PrometheusProvider.model_fields.items()}
    assert wanted <= shown | {"kind"}


def test_presets_and_variables_are_all_told() -> None:
    for preset in Preset:
        assert f"| `{preset}` |" in TEXT
    for variable in VARIABLES:
        assert f"| `${{{variable}}}` |" in TEXT


def test_the_figures_are_those_of_the_code() -> None:
    assert f"up to {LONGEST_URL:,} characters are sent as GET" in TEXT
    assert f"longer than {LARGEST // 2**20} MiB" in TEXT
    assert (FRESH_SECONDS, AGAIN_SECONDS) == (240, 5)
    assert "used for four minutes" in TEXT
    assert "at most every five seconds" in TEXT
