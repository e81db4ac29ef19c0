"""What a model refuses is said without the words of the library that found it."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from rollout.resources.crd import definitions
from rollout.resources.faults import PATTERNS, lines, sentence
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.release import ReleaseSpec
from rollout.resources.rollout import Rollout
from tests import build

PROMETHEUS = {"kind": "Prometheus", "address": "http://prometheus:9090"}
METRIC = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
URL = r"^https?://[^/?#\s]+[^?#\s]*$"
RATIO = {"name": "errors", "kind": "Ratio"}


def refused(model: Any, body: Any) -> ValidationError:
    with pytest.raises(ValidationError) as found:
        model.model_validate(body)
    return found.value


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"alpha": 0.3}, "alpha: 0.3 is out of bounds: write 0.2 or less"),
        ({"alpha": "low"}, "alpha: 'low' is no number: write one such as 0.05"),
        ({"preset": "htp"}, "preset: 'htp' is none of its values: did you mean http?"),
        ({"interval": 3}, "interval: 3 is not a duration: write it with a unit, as in 30s"),
        ({"minimumRequests": 2.5}, "minimumRequests: 2.5 is no whole number: write one such as 3"),
        ({"metrics": {}}, "metrics: {} is no list: begin each of its items with -"),
        ({"noData": "Pause"}, "noData: 'Pause' is no group of fields: write them below it"),
        ({"metrics": []}, "metrics: it is 0 long: have 1 items or more"),
        ({"metrics": [{"kind": "Ratio"}]}, "metrics[0].name: it needs a value: write it"),
        ({"metrics": [{"name": "a"}]}, "metrics[0]: it needs kind: write it"),
        (
            {"metrics": [{"name": "a", "kind": "Ratios"}]},
            "metrics[0]: there is no kind 'Ratios': did you mean Ratio?",
        ),
        (
            {"metrics": [{**RATIO, "name": "a b"}]},
            f"metrics[0].name: 'a b' does not fit: write {PATTERNS[METRIC]}",
        ),
        (
            {"metrics": [{**RATIO, "name": "a" * 64}]},
            "metrics[0].name: it is 64 long: write 63 characters or less",
        ),
        (
            {"provider": {**PROMETHEUS, "address": "prometheus:9090"}},
            f"provider.address: 'prometheus:9090' does not fit: write {PATTERNS[URL]}",
        ),
        ({"alfa": 1}, "alfa: there is no such field: remove it"),
    ],
)
def test_a_fault_has_its_field_its_value_and_the_fix(spec: dict[str, Any], said: str) -> None:
    assert sentence(refused(RolloutPolicySpec, spec)) == said


def test_all_faults_are_told() -> None:
    assert len(lines(refused(RolloutPolicySpec, {"alpha": 3, "preset": "x"}))) == 2


def test_a_rule_of_the_whole_keeps_its_words() -> None:
    both = build.rollout(strategy={"canary": {}, "blueGreen": {}})
    assert sentence(refused(Rollout, both)) == (
        "spec.strategy: set exactly one of canary and blueGreen"
    )
    assert "registry.example.com/shop/web:v1.2.4" in sentence(
        refused(ReleaseSpec, {"rollout": "web", "version": "v1 9"})
    )


def patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        for value in schema.values():
            yield from patterns(value)
    if isinstance(schema, list):
        for item in schema:
            yield from patterns(item)


def test_every_pattern_of_ours_has_words() -> None:
    ours = {found for crd in definitions() for found in patterns(crd)}
    durations = {found for found in ours if "ms" in found}
    assert ours - durations <= set(PATTERNS)
    assert len(ours) > 8
