"""Every field that the definitions of both projects know is known here too."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from rollout.convert.conversion import convert
from rollout.convert.documents import documents
from rollout.convert.ledger import UNKNOWN, Fate

FIELDS: Final = Path(__file__).with_name("fields")
SAMPLES: Final[dict[str, Any]] = {
    "string": "30s",
    "integer": 1,
    "number": 1,
    "boolean": True,
    "object": {"sample": "30s"},
    "array": ["30s"],
    "any": "30s",
}
GIVEN: Final[dict[str, Any]] = {
    "spec.workloadRef.kind": "Deployment",
    "spec.targetRef.kind": "Deployment",
    "spec.provider.type": "prometheus",
    "spec.strategy.canary.stableMetadata": {},
    "spec.analysis.stepWeights": [10],
    "spec.canaryAnalysis.stepWeights": [10],
}
HEAD: Final = {
    "Rollout": "argoproj.io/v1alpha1",
    "AnalysisTemplate": "argoproj.io/v1alpha1",
    "Canary": "flagger.app/v1beta1",
    "MetricTemplate": "flagger.app/v1beta1",
}
USED: Final[dict[str, Any]] = {
    "AnalysisTemplate": {
        "apiVersion": HEAD["Rollout"],
        "kind": "Rollout",
        "metadata": {"name": "user"},
        "spec": {"strategy": {"canary": {"analysis": {"templates": [{"templateName": "one"}]}}}},
    },
    "MetricTemplate": {
        "apiVersion": HEAD["Canary"],
        "kind": "Canary",
        "metadata": {"name": "user"},
        "spec": {
            "targetRef": {"kind": "Deployment", "name": "user"},
            "service": {"port": 80},
            "analysis": {"metrics": [{"name": "mine", "templateRef": {"name": "one"}}]},
        },
    },
}
BASES: Final[dict[str, Any]] = {
    "Rollout": {},
    "AnalysisTemplate": {},
    "Canary": {"targetRef": {"kind": "Deployment", "name": "one"}},
    "MetricTemplate": {"provider": {"type": "prometheus"}, "query": "up"},
}


def known() -> Iterator[tuple[str, str, str]]:
    for file in sorted(FIELDS.glob("*.txt")):
        for line in file.read_text().splitlines():
            if not line.startswith("#"):
                kind, path, type_ = line.split()
                yield kind, path, type_


KNOWN: Final = list(known())


def body(kind: str, path: str, type_: str) -> dict[str, Any]:
    """An object of a kind with one field set, and what it needs beside it."""
    spec = copy.deepcopy(BASES[kind])
    place: Any = {"spec": spec}
    found = {"apiVersion": HEAD[kind], "kind": kind, "metadata": {"name": "one"}, **place}
    *before, last = path.split(".")
    for part in before:
        inner = place.setdefault(part.removesuffix("[]"), [{}] if part.endswith("[]") else {})
        place = inner[0] if isinstance(inner, list) else inner
    place[last] = GIVEN.get(path, copy.deepcopy(SAMPLES[type_]))
    return found


def converted(kind: str, path: str, type_: str) -> Any:
    written = [body(kind, path, type_), *([USED[kind]] if kind in USED else [])]
    return convert(documents(yaml.safe_dump_all(written), "one.yaml"))


def test_the_definitions_have_been_read() -> None:
    assert {kind for kind, _, _ in KNOWN} == set(HEAD)
    assert len(KNOWN) > 300


@pytest.mark.parametrize("kind", HEAD)
def test_every_field_is_converted_or_listed_by_name(kind: str) -> None:
    unknown = []
    for _, path, type_ in (one for one in KNOWN if one[0] == kind):
        found = converted(kind, path, type_)
        plain = path.replace("[]", "[0]")
        told = [one for one in found.findings if one.object == f"{kind} one"]
        covering = [one for one in told if covers(one.field, plain)]
        if not covering or any(one.what == UNKNOWN for one in covering):
            unknown.append(path)
    assert unknown == []


def covers(told: str, field: str) -> bool:
    """Whether what is told of one field holds for another: the same, one around it or inside."""
    return (
        told == field
        or field.startswith((f"{told}.", f"{told}["))
        or told.startswith((f"{field}.", f"{field}["))
    )


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Rollout", "spec.surprise"),
        ("Rollout", "spec.strategy.canary.surprise"),
        ("Rollout", "spec.strategy.canary.steps[].surprise"),
        ("Rollout", "spec.strategy.blueGreen.surprise"),
        ("AnalysisTemplate", "spec.metrics[].surprise"),
        ("Canary", "spec.surprise"),
        ("Canary", "spec.service.surprise"),
        ("Canary", "spec.analysis.surprise"),
        ("MetricTemplate", "spec.provider.surprise"),
    ],
)
def test_a_field_that_nobody_knows_is_listed_as_having_no_equal(kind: str, path: str) -> None:
    found = converted(kind, path, "string")
    plain = path.replace("[]", "[0]")
    (told,) = [
        one
        for one in found.findings
        if one.field.endswith("surprise") or (one.field and plain.startswith(f"{one.field}."))
    ]
    assert told.fate is Fate.NO_EQUAL
    assert told.what == UNKNOWN or path.startswith("spec.metrics")
