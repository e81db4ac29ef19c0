"""Everything that the document allows, and much that it does not, is asked of the real API."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
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
EXAMPLES = 10
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@pytest.fixture(scope="module")
def asked() -> Iterator[Rig]:
    with Rig() as alone, alone.place(*build.shop()) as rig:
        rig.say()
        yield rig


def bounded() -> dict[str, Any]:
    """The document, without the streams: they never end by themselves."""
    whole = document()
    paths = whole["paths"].items()
    return {**whole, "paths": {path: one for path, one in paths if not path.endswith("/stream")}}


schema = schemathesis.openapi.from_dict(bounded())


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_is_answered_with_a_fault_of_ours(
    case: "schemathesis.Case[Any]", asked: Rig
) -> None:
    case.call_and_validate(
        base_url=asked.api.url, headers={"Authorization": "Bearer ana"}, checks=CHECKS, timeout=10
    )


def test_the_document_is_asked_whole() -> None:
    assert len(list(schema.get_all_operations())) == 12
