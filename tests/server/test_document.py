"""The OpenAPI document: what is answered is in it, and its examples are true."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import jsonschema
import pytest
from httpx import Response
from httpx_sse import EventSource

from rollout.engine.admission import admit
from rollout.report.explain import explain
from rollout.report.started import on_its_way
from rollout.resources.action import Action
from rollout.resources.model import Model
from rollout.resources.release import Release, ReleaseStatus
from rollout.resources.rollout import Rollout
from rollout.server import examples
from rollout.server.answers import SAID
from rollout.server.app import document
from rollout.server.models import (
    AskedRelease,
    Explanation,
    Pods,
    ReleaseList,
    RolloutList,
    StartedRelease,
)

DOCUMENT: Final = document()
MODELS: Final[dict[str, type[Model]]] = {
    model.__name__: model
    for model in (
        AskedRelease,
        Explanation,
        Pods,
        Release,
        ReleaseList,
        Rollout,
        RolloutList,
        StartedRelease,
    )
}


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, found in DOCUMENT["paths"].items():
        for method, operation in found.items():
            yield f"{method} {path}", operation


OPERATIONS: Final = dict(operations())


def fine(operation: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The answer of an operation when all is well: media type and what is said of it."""
    (answer,) = (one for status, one in operation["responses"].items() if status < "300")
    ((media, said),) = answer["content"].items()
    return media, said


def within(part: Any, whole: Any) -> bool:
    """Whether everything that is said in one is said in the other."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(within(part[k], whole.get(k)) for k in part)
    if isinstance(part, list):
        same = isinstance(whole, list) and len(part) == len(whole)
        return same and all(map(within, part, whole))
    return bool(part == whole)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_shows_what_it_answers(name: str) -> None:
    media, said = fine(OPERATIONS[name])
    assert said["example"]
    assert media == ("text/event-stream" if name.endswith("/stream") else "application/json")


@pytest.mark.parametrize("name", [name for name in OPERATIONS if not name.endswith("/stream")])
def test_an_example_is_one_of_its_model(name: str) -> None:
    _, said = fine(OPERATIONS[name])
    whole = {**said["schema"], "components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(whole).validate(said["example"])
    model = MODELS[said["schema"]["$ref"].rpartition("/")[2]]
    read = model.model_validate(said["example"]).to_json()
    assert within(said["example"], read), "a field of the example is none of the model"


def test_what_is_not_in_a_model_would_be_found() -> None:
    assert not within({"a": 1}, {})
    assert not within([{"a": [1]}], [{"a": [2]}])
    assert not within({"a": {}}, {"a": None})
    assert within([{"a": [1]}], [{"a": [1], "b": 2}])


def test_the_sentences_of_the_examples_are_those_of_the_code() -> None:
    release = Release.model_validate(examples.RELEASE)
    strategy = Rollout.model_validate(examples.ROLLOUT).spec.strategy
    now = datetime.fromisoformat("2026-03-09T10:02:00Z")
    assert examples.EXPLANATION["lines"] == explain(release, strategy, now)
    assert examples.STARTED["message"] == on_its_way(examples.NAME)
    action = Action.model_validate(examples.ASKED["action"])
    admitted = admit(action, ReleaseStatus.model_validate(examples.RELEASE["status"]))
    assert admitted.accepted
    assert examples.ASKED["message"] == (
        f"{examples.NAME}: {action.type} asked for; {admitted.message}"
    )


def test_the_example_of_a_stream_is_one() -> None:
    media, said = fine(OPERATIONS["get /api/v1/releases/stream"])
    answer = Response(200, headers={"content-type": media}, text=said["example"])
    state, synced = EventSource(answer).iter_sse()
    assert (state.event, state.id) == ("release", examples.RELEASE["metadata"]["resourceVersion"])
    assert json.loads(state.data) == examples.RELEASE
    assert (synced.event, json.loads(synced.data)) == ("synced", {"releases": 1})


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_problems_of_each_operation_are_in_it(name: str) -> None:
    responses = OPERATIONS[name]["responses"]
    problems = {int(status) for status in responses if status >= "400"}
    always = {401, 403, 404, 422, 429, 503}
    assert problems == always | ({400, 408, 409, 413} if name.startswith("post") else set())
    for status in problems:
        assert responses[str(status)]["description"] == SAID[status]
        assert list(responses[str(status)]["content"]) == ["application/problem+json"]
