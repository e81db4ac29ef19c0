"""The examples of both projects, as they publish them, and the API server's word on the result."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml

from rollout.convert.conversion import Conversion, convert
from rollout.convert.documents import Document, documents
from rollout.convert.ledger import UNKNOWN, UnreadableError, worded
from rollout.resources.crd import definitions
from rollout.resources.policy import RolloutPolicy
from rollout.resources.rollout import Rollout
from tests.controlplane.access import Access
from tests.convert import CASES
from tests.convert.kinds import define
from tests.convert.record_fields import DEFINITIONS, FIELDS, lines_of
from tests.convert.test_cases import leaves
from tests.convert.upstream import ARGO, FLAGGER, folder

pytestmark = pytest.mark.controlplane

EXAMPLES: Final = {ARGO: "examples", FLAGGER: "artifacts/examples"}
GUIDES: Final = {ARGO: "docs", FLAGGER: "docs"}
LEAST: Final = {ARGO: 18, FLAGGER: 9}
PLACES: Final = {
    "Rollout": "/apis/rollout.dev/v1alpha1/namespaces/{}/rollouts",
    "RolloutPolicy": "/apis/rollout.dev/v1alpha1/namespaces/{}/rolloutpolicies",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "Service": "/api/v1/namespaces/{}/services",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers",
}


def readable(texts: Iterator[tuple[str, str]]) -> Iterator[list[Document]]:
    """The texts that are manifests of theirs; templates of charts are none."""
    for name, text in texts:
        try:
            found = documents(text, name)
        except UnreadableError:
            continue
        if any(one.kind in {"Rollout", "Canary"} and theirs(one) for one in found):
            yield found


def theirs(one: Document) -> bool:
    return one.group in {"argoproj.io", "flagger.app"}


def examples(module: str) -> Iterator[tuple[str, str]]:
    for file in sorted((folder(module) / EXAMPLES[module]).rglob("*.yaml")):
        yield file.name, file.read_text()


def snippets(module: str) -> Iterator[tuple[str, str]]:
    """Every block of YAML of the guides."""
    for file in sorted((folder(module) / GUIDES[module]).rglob("*.md")):
        for number, block in enumerate(file.read_text().split("```yaml")[1:]):
            yield f"{file.name}-{number}", block.split("```")[0]


def valid(found: Conversion) -> None:
    models: dict[str, Any] = {"Rollout": Rollout, "RolloutPolicy": RolloutPolicy}
    assert tuple(yaml.safe_load_all(found.text)) == found.objects
    for body in found.objects:
        if body["kind"] in models:
            models[body["kind"]].model_validate(body)


def accounted(read: list[Document], found: Conversion) -> None:
    for one in filter(theirs, read):
        fields = {told.field for told in found.findings if told.object == one.subject}
        for leaf in leaves(one.body):
            assert {worded(leaf[:end]) for end in range(len(leaf) + 1)} & fields, (one, leaf)


@pytest.mark.parametrize("module", EXAMPLES)
def test_the_examples_of_both_projects_are_converted(module: str) -> None:
    count = 0
    for read in readable(examples(module)):
        found = convert(read)
        valid(found)
        accounted(read, found)
        assert [one for one in found.findings if one.what == UNKNOWN] == []
        count += 1
    assert count >= LEAST[module]


@pytest.mark.parametrize("module", GUIDES)
def test_the_snippets_of_their_guides_are_converted_or_refused_with_the_field(module: str) -> None:
    count = 0
    for read in readable(snippets(module)):
        try:
            found = convert(read)
        except UnreadableError as error:
            assert ", document " in str(error)  # noqa: PT017 - either of both is right
            continue
        valid(found)
        accounted(read, found)
        count += 1
    assert count > 5


@pytest.mark.parametrize("name", DEFINITIONS)
def test_the_recorded_fields_are_those_of_the_definitions(name: str) -> None:
    module, inside = DEFINITIONS[name]
    lines = {line for file in (folder(module) / inside).glob("*.yaml") for line in lines_of(file)}
    recorded = (FIELDS / f"{name}.txt").read_text().splitlines()
    assert recorded[0].startswith(f"# Fields of {module}:")
    assert set(recorded[1:]) == lines


@pytest.fixture(scope="module")
def client(control_plane: Access) -> Iterator[httpx.Client]:
    with control_plane.client() as found:
        define(found, *definitions())
        yield found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_the_api_server_takes_what_is_written(
    client: httpx.Client, namespace: str, case: Path
) -> None:
    objects = convert(documents(case.read_text(), case.name)).objects
    assert {body["kind"] for body in objects} <= {*PLACES, "ScaledObject"}
    for body in (one for one in objects if one["kind"] in PLACES):
        placed = {**body, "metadata": {**body["metadata"], "namespace": namespace}}
        place = PLACES[body["kind"]].format(namespace)
        query = {"dryRun": "All", "fieldValidation": "Strict"}
        answer = client.post(place, json=placed, params=query)
        assert answer.status_code == 201, (body["kind"], answer.text)
