"""docs/rollout.md shows every field of a Rollout, as it is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from rollout.resources.rollout import BlueGreen, Canary, CanaryStep, Rollout, RolloutSpec

PAGE = Path(__file__).parents[2] / "docs" / "rollout.md"


def shown() -> list[dict[str, Any]]:
    return [
        yaml.safe_load(block.split("```")[0]) for block in PAGE.read_text().split("```yaml")[1:]
    ]


def fields(model: type[BaseModel]) -> Iterator[str]:
    """The names of a model's fields as people write them."""
    for name, field in model.model_fields.items():
        yield field.alias or name


def written(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from written(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from written(inner)


def test_what_the_page_shows_is_a_rollout() -> None:
    assert [Rollout.model_validate(body).spec.target.deployment for body in shown()] == [
        "checkout"
    ] * 2


def test_every_field_is_shown() -> None:
    known = {
        name for model in (RolloutSpec, Canary, BlueGreen, CanaryStep) for name in fields(model)
    }
    assert known - set(written(shown())) == set()


def test_what_is_called_a_default_is_one() -> None:
    spec = Rollout.model_validate(shown()[0]).spec
    canary, bare = spec.strategy.canary, Canary()
    assert canary is not None
    assert (canary.bake, canary.progress_deadline, canary.drain) == (
        bare.bake,
        bare.progress_deadline,
        bare.drain,
    )
    assert [step.weight for step in bare.steps] == [5, 20, 50]
    first = CanaryStep(weight=5)
    assert canary.steps[0].min_duration == first.min_duration
    assert canary.steps[0].on_undecided == first.on_undecided
    least = {"target": {"deployment": "checkout"}, "strategy": {"canary": {}}}
    plain = RolloutSpec.model_validate(least)
    for name in ("trigger", "supersedes", "adoption", "history_limit"):
        assert getattr(spec, name) == getattr(plain, name)
