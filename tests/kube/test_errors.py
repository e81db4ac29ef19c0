import pytest

from rollout.kube.errors import (
    AlreadyExists,
    Cause,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Refused,
    ServerFault,
    TooManyRequests,
    Unauthorized,
    refusal,
)


@pytest.mark.parametrize(
    ("status", "reason", "branch"),
    [
        (401, "Unauthorized", Unauthorized),
        (403, "Forbidden", Forbidden),
        (404, "NotFound", NotFound),
        (409, "AlreadyExists", AlreadyExists),
        (409, "Conflict", Conflict),
        (409, "", Conflict),
        (410, "Expired", Gone),
        (410, "Gone", Gone),
        (422, "Invalid", Invalid),
        (429, "TooManyRequests", TooManyRequests),
        (500, "InternalError", ServerFault),
        (503, "ServiceUnavailable", ServerFault),
        (504, "Timeout", ServerFault),
        (400, "BadRequest", Refused),
        (405, "MethodNotAllowed", Refused),
        (415, "UnsupportedMediaType", Refused),
    ],
)
def test_each_answer_gets_the_branch_that_says_what_to_do_next(
    status: int, reason: str, branch: type[Refused]
) -> None:
    error = refusal(status, {"reason": reason, "message": "words"})
    assert type(error) is branch
    assert (error.status, error.message, str(error)) == (status, "words", "words")


def test_a_refusal_names_the_fields_that_broke_a_rule() -> None:
    causes = [{"field": "spec.replicas", "message": "must not be negative", "reason": "Bad"}]
    error = refusal(422, {"reason": "Invalid", "details": {"causes": causes}})
    assert error.causes == (Cause("spec.replicas", "must not be negative", "Bad"),)


def test_an_answer_without_a_payload_still_says_its_status() -> None:
    error = refusal(503)
    assert isinstance(error, ServerFault)
    assert "503" in str(error)
    assert error.causes == ()


def test_the_header_tells_the_wait_before_the_payload_does() -> None:
    payload = {"details": {"retryAfterSeconds": 7}}
    assert refusal(429, payload, retry_after=2).retry_after == 2
    assert refusal(429, payload).retry_after == 7
    assert refusal(429).retry_after is None


def test_a_missing_kind_is_told_from_a_missing_object() -> None:
    assert refusal(404, {"reason": "NotFound", "details": {}}).details == {}
    missing_kind = NotFound("the server could not find the requested resource")
    missing_object = NotFound("not found", details={"name": "shop", "kind": "services"})
    assert missing_kind.kind_is_missing
    assert not missing_object.kind_is_missing


def test_errors_made_by_hand_carry_the_status_of_their_branch() -> None:
    assert (Conflict("late").status, Conflict("late").reason) == (409, "Conflict")
