"""The practice API server is held to what a real Kubernetes 1.37 answered.

What is deliberately not imitated stands in `NOT_IMITATED`, with the reason; everything else must be
equal, case by case.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from rollout.sandbox.apiserver import ApiServer
from tests.conformance.record import Case, difference, load_cases, play, recorded

NOT_IMITATED: Final = {
    "discovery/the server's version and health": (
        "gitVersion says that this is the practice server, so that nobody takes it for a cluster"
    ),
}
"""Cases that are not compared, and why. Beside them the recordings leave out `managedFields`,
`storageVersionHash` and the trigger time of EndpointSlices, which the practice server has not."""


def _name(case: Case) -> str:
    return f"{case.file}/{case.name}"


pytestmark = pytest.mark.system

CASES: Final = [case for case in load_cases() if _name(case) not in NOT_IMITATED]


def _ordered(answers: list[Any]) -> list[Any]:
    """Answers with what is there at rest in one order: generated names sort by chance."""
    return [
        {
            "settled": {
                kind: sorted(objects, key=lambda each: json.dumps(each, sort_keys=True))
                for kind, objects in answer["settled"].items()
            }
        }
        if "settled" in answer
        else answer
        for answer in answers
    ]


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer() as started:
        yield started


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_emulator_answers_as_recorded(server: ApiServer, case: Case) -> None:
    found = _ordered(play(server.url, server.token, case))
    expected = _ordered(recorded(case))
    assert found == expected, difference(expected, found)


def test_every_exception_names_a_case_that_exists() -> None:
    assert set(NOT_IMITATED) <= {_name(case) for case in load_cases()}
