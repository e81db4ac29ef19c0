"""Everything that the document allows, and much that it does not, is asked of the real API.

Each document has its own seed, so that what is asked changes with the API and a run can be had
again. `ROLLOUT_SCHEMA_SEED` asks something else.
"""

import json
import os
import zlib
from collections.abc import Iterator
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from rollout.server.app import document
from tests import build
from tests.server.rig import Rig

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]
EXAMPLES: Final = 25
OWN_SEED: Final = zlib.crc32(json.dumps(document(), sort_keys=True).encode())
SEED: Final = int(os.environ.get("ROLLOUT_SCHEMA_SEED") or OWN_SEED)
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
NO: Final = frozenset({400, 401, 403, 404, 405, 413, 415, 422})


IDLE: Final = (
    build.deployment("other"),
    build.service("other", {"app": "other"}),
    build.ingress("other", "other"),
    build.rollout("other", target={"deployment": "other"}),
)


@pytest.fixture(scope="module")
def asked() -> Iterator[Rig]:
    """A release that runs, and another Rollout that could have one."""
    with Rig() as alone, alone.place(*build.shop(), *IDLE) as rig:
        rig.say()
        yield rig


@pytest.fixture(autouse=True)
def seed() -> None:
    print(f"again: ROLLOUT_SCHEMA_SEED={SEED} pytest {__file__}")


class Brief(requests.Session):
    """Reads what a stream begins with, and goes: streams do not end by themselves."""

    def request(self, *arguments: Any, **named: Any) -> requests.Response:
        answer = super().request(*arguments, **{**named, "stream": True})
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            answer._content = beginning(answer)
            answer.close()
        return answer


def beginning(answer: requests.Response) -> bytes:
    lines: list[bytes] = []
    for line in answer.iter_lines():
        lines.append(line)
        if not line and any(b"event: synced" in one for one in lines):
            break
    return b"\n".join([*lines, b""])


config = SchemathesisConfig(seed=SEED)
config.projects.default.generation.update(with_security_parameters=False)  # people have tokens
schema = schemathesis.openapi.from_dict(document(), config=config)
often = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def name_what_there_is(case: "schemathesis.Case[Any]", space: str) -> None:
    """Have every other request that is in order be about something: nobody guesses names."""
    given = case.path_parameters or {}
    positive = case.meta is not None and case.meta.generation.mode.is_positive
    if positive and len(str(given)) % 2:
        name = "other" if "/rollouts/" in case.path else "web-v2"
        known = {"namespace": space, "name": name}
        case.path_parameters = {key: known[key] for key in given}


def answered(case: "schemathesis.Case[Any]", rig: Rig, who: str) -> Any:
    name_what_there_is(case, rig.space)
    with Brief() as session:
        return case.call_and_validate(
            base_url=rig.api.url,
            headers={"Authorization": f"Bearer {who}"},
            checks=CHECKS,
            session=session,
            timeout=10,
        )


@schema.parametrize()
@often
def test_no_request_is_answered_with_a_fault_of_ours(
    case: "schemathesis.Case[Any]", asked: Rig
) -> None:
    answered(case, asked, "ana")


@schema.parametrize()
@often
def test_who_has_no_rights_gets_nothing_whatever_is_asked(
    case: "schemathesis.Case[Any]", asked: Rig
) -> None:
    before = asked.releases()
    assert answered(case, asked, "eve").status_code in NO
    assert asked.releases() == before


def test_the_document_is_asked_whole() -> None:
    assert len(list(schema.get_all_operations())) == 15
