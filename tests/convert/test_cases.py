"""What each case becomes is what was read and found right, and is valid; no field is lost."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from rollout.convert.conversion import Conversion, convert
from rollout.convert.documents import documents
from rollout.convert.ledger import Fate, UnreadableError, worded
from rollout.resources.lint import documents as linted
from rollout.resources.policy import RolloutPolicy
from rollout.resources.rollout import Rollout
from tests.convert import CASES
from tests.convert.record_cases import moves, told

MODELS: Final[dict[str, Any]] = {"Rollout": Rollout, "RolloutPolicy": RolloutPolicy}


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    elif value is not None:  # `null` is how manifests say that nothing is there
        yield path


def surprises(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping of an object of theirs, apart from what Kubernetes owns."""
    if isinstance(value, dict):
        yield value
        for key, inner in value.items():
            if key not in {"template", "metadata", "selector", "headers"}:
                yield from surprises(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from surprises(inner)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_case_becomes_what_is_written_beside_it(case: Path) -> None:
    found = convert(documents(case.read_text(), case.name))
    expected = case.parent / "expected"
    assert found.text == (expected / case.name).read_text()
    assert f"{told(found)}\n{moves(found)}" == (expected / f"{case.stem}.txt").read_text()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_what_is_written_is_valid(case: Path) -> None:
    found = convert(documents(case.read_text(), case.name))
    assert tuple(yaml.load_all(found.text, yaml.CSafeLoader)) == found.objects
    for body in found.objects:
        if body["kind"] in MODELS:
            MODELS[body["kind"]].model_validate(body)
        if body["kind"] == "RolloutPolicy":
            assert [one.problems for one in linted(yaml.safe_dump(body), "it")] == [()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_every_field_of_the_input_is_accounted_for_once(case: Path) -> None:
    read = documents(case.read_text(), case.name)
    found = convert(read)
    for document in read:
        fields = [one.field for one in found.findings if one.object == document.subject]
        for leaf in leaves(document.body):
            covering = {worded(leaf[:end]) for end in range(len(leaf) + 1)} & set(fields)
            assert len(covering) == 1, (document.subject, worded(leaf), covering)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_field_that_is_added_anywhere_is_listed(case: Path) -> None:
    plain = list(yaml.safe_load_all(case.read_text()))
    places = sum(len(list(surprises(body.get("spec")))) for body in plain if theirs(body))
    assert places
    for index in range(places):
        bodies = list(yaml.safe_load_all(case.read_text()))
        every = [one for body in bodies if theirs(body) for one in surprises(body.get("spec"))]
        every[index]["surprise"] = "unheard of"
        found = convert(documents(yaml.safe_dump_all(bodies), case.name))
        assert listed(found) or any(holds(body, "surprise") for body in found.objects), every[index]


def listed(found: Conversion) -> bool:
    """Whether the field that was added has no equal, or stands under its own name."""
    inside = [one for one in found.with_fate(Fate.NO_EQUAL) if holds(one.value, "surprise")]
    named = [
        one
        for one in found.with_fate(Fate.NO_EQUAL, Fate.NOT_NEEDED)
        if one.field.endswith(".surprise")
    ]
    return bool(inside or named)


def theirs(body: dict[str, Any]) -> bool:
    return str(body["apiVersion"]).startswith(("argoproj.io/", "flagger.app/"))


def holds(value: Any, key: str) -> bool:
    return any(key in path for path in leaves(value))


ODD: Final[tuple[Any, ...]] = (5, "x", [], {}, True, [5], ["x"], [[]], 1.5, {"a": 5})


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    for key, item in inner:
        yield (*path, key)
        if key != "template":  # the pod template is handed on as it is
            yield from places(item, (*path, key))


@pytest.mark.sweep
@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_whatever_stands_in_a_field_it_is_converted_or_refused_by_name(case: Path) -> None:
    check_odd(case, 1)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_whatever_stands_here_and_there_it_is_converted_or_refused_by_name(case: Path) -> None:
    """A thin sample of the sweep above, for every run."""
    check_odd(case, 11)  # prime to the number of odd values, so that each has its turn


def check_odd(case: Path, stride: int) -> None:
    bodies = list(yaml.safe_load_all(case.read_text()))
    spots = [one for one in places(bodies) if len(one) > 1]
    for number, place in list(enumerate(spots))[::stride]:
        changed = copy.deepcopy(bodies)
        around: Any = changed
        for key in place[:-1]:
            around = around[key]
        around[place[-1]] = ODD[number % len(ODD)]
        try:
            found = convert(documents(yaml.dump_all(changed, Dumper=yaml.CSafeDumper), case.name))
        except UnreadableError as error:
            assert str(error).startswith(f"{case.name}, document ")  # noqa: PT017 - either is right
        else:
            assert tuple(yaml.load_all(found.text, yaml.CSafeLoader)) == found.objects
