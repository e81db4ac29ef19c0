"""Every constraint of our schemas, broken by one object: the real API server names the field."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import httpx
import pytest
from pydantic import ValidationError

from rollout.kube.client import HttpCluster
from rollout.kube.errors import Cause, refusal
from rollout.resources.model import Model
from rollout.resources.policy import RolloutPolicy
from rollout.resources.release import Release
from rollout.resources.rollout import Rollout
from rollout.resources.words import API_VERSION
from rollout.resources.writes import Object
from tests.controlplane.access import Access
from tests.defined import define
from tests.resources.broken import Broken, broken
from tests.resources.constraints import SCHEMAS, constraints
from tests.resources.full import FULL

PLURALS: Final = {"Release": "releases", "Rollout": "rollouts", "RolloutPolicy": "rolloutpolicies"}
MODELS: Final[Mapping[str, type[Model]]] = {
    "Release": Release,
    "Rollout": Rollout,
    "RolloutPolicy": RolloutPolicy,
}
NOT_CHECKED: Final = "some validation rules were not checked because the object was invalid"
"""Said beside the cause: our rules are asked only of objects that fit the schema."""
SAID: Final[Mapping[str, Callable[[Any], str]]] = {
    "enum": lambda words: "supported values: " + ", ".join(f'"{word}"' for word in words),
    "format": "must be of type {}".format,
    "maxItems": "must have at most {} items".format,
    "maxLength": "may not be more than {} bytes".format,
    "maxProperties": "must have at most {} items".format,
    "maximum": "should be less than or equal to {}".format,
    "minItems": "should have at least {} items".format,
    "minLength": "should be at least {} chars long".format,
    "minimum": "should be greater than or equal to {}".format,
    "pattern": "should match '{}'".format,
    "required": lambda _: "Required value",
    "type": "must be of type {}".format,
    "x-kubernetes-list-type": lambda _: 'Duplicate value: {"name":"errors"}',
}
"""How the server tells what is allowed, by keyword and its limit."""
BROKEN: Final = tuple(broken())


def test_every_constraint_has_its_object() -> None:
    missed = {str(one) for one in constraints()} - {str(case) for case in BROKEN}
    assert missed == set(), "write these fields in tests/resources/full.py"


def test_an_inlined_policy_has_the_constraints_of_a_policy() -> None:
    policy = SCHEMAS["RolloutPolicy"]["properties"]["spec"]
    spec = SCHEMAS["Rollout"]["properties"]["spec"]["properties"]
    overrides = SCHEMAS["Release"]["properties"]["spec"]["properties"]["overrides"]["properties"]
    for holder in (spec, overrides):
        inline = holder["policy"]["properties"]["inline"]
        assert {**inline, "description": ""} == {**policy, "description": ""}


@pytest.fixture(scope="module")
def server(control_plane: Access) -> Iterator[httpx.Client]:
    with HttpCluster.for_server(
        control_plane.url, control_plane.token(), str(control_plane.ca_file)
    ) as cluster:
        define(cluster)
    with control_plane.client() as client:
        yield client


def tried(server: httpx.Client, body: Object) -> httpx.Response:
    """Create an object without leaving it there."""
    return server.post(
        f"/apis/{API_VERSION}/namespaces/default/{PLURALS[body['kind']]}",
        params={"dryRun": "All", "fieldValidation": "Strict"},
        json=body,
    )


@pytest.mark.controlplane
@pytest.mark.parametrize("number", range(len(FULL)))
def test_an_object_with_all_fields_is_taken(server: httpx.Client, number: int) -> None:
    done = tried(server, FULL[number])
    assert done.status_code == httpx.codes.CREATED, done.text
    assert done.json()["spec"] == FULL[number]["spec"] | done.json()["spec"]


@pytest.mark.controlplane
@pytest.mark.parametrize("case", BROKEN, ids=str)
def test_a_field_out_of_bounds_is_named_with_what_is_allowed(
    server: httpx.Client, case: Broken
) -> None:
    done = tried(server, case.body)
    assert done.status_code == httpx.codes.UNPROCESSABLE_ENTITY, done.text
    causes = [c for c in refusal(422, done.json()).causes if NOT_CHECKED not in c.message]
    told = SAID[case.constraint.keyword](case.constraint.limit)
    assert any(told in cause.message for cause in causes if cause.field == case.at), causes
    assert [cause for cause in causes if not concerns(cause, case.at)] == []


def concerns(cause: Cause, field: str) -> bool:
    """Whether a cause names the field, or is a rule of what the field is part of."""
    return f"{field}.".startswith(f"{cause.field}.") or field.startswith(f"{cause.field}[")


def test_the_models_refuse_them_all_as_well() -> None:
    assert [str(case) for case in BROKEN if is_taken(case.body)] == []


def is_taken(body: Object) -> bool:
    """Whether our models find nothing wrong with an object."""
    try:
        MODELS[body["kind"]].model_validate(body)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("number", range(len(FULL)))
def test_the_models_take_an_object_with_all_fields(number: int) -> None:
    MODELS[FULL[number]["kind"]].model_validate(FULL[number])
