"""What goes wrong, as RFC 9457 says it: `application/problem+json`, one kind per way out.

`detail` is the sentence that the command line would print; further members are for programs.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from rollout.commands.refusal import (
    CommandRefusedError,
    KeyReusedError,
    NotThereError,
    StaleRevisionError,
    UnclearError,
)
from rollout.kube.errors import (
    AlreadyExists,
    Cause,
    ClusterError,
    Conflict,
    Forbidden,
    NotFound,
    Refused,
    ServerFault,
    TooManyRequests,
    Unauthorized,
)
from rollout.resources.faults import worded
from rollout.server.settings import BODY_BYTES
from rollout.server.words import shortened

MEDIA_TYPE: Final = "application/problem+json"
TYPE: Final = "urn:rollout:problem:"
TITLES: Final = {
    "unauthorized": (HTTPStatus.UNAUTHORIZED, "It is not known who you are"),
    "forbidden": (HTTPStatus.FORBIDDEN, "You may not do this"),
    "not-found": (HTTPStatus.NOT_FOUND, "There is no such thing"),
    "method-not-allowed": (HTTPStatus.METHOD_NOT_ALLOWED, "This cannot be done here"),
    "too-slow": (HTTPStatus.REQUEST_TIMEOUT, "The request did not come to its end"),
    "refused": (HTTPStatus.CONFLICT, "This cannot be done now"),
    "stale-revision": (HTTPStatus.CONFLICT, "The release has changed meanwhile"),
    "conflict": (HTTPStatus.CONFLICT, "Somebody else wrote at the same moment"),
    "too-large": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The request is too large"),
    "invalid": (HTTPStatus.UNPROCESSABLE_ENTITY, "The request cannot be understood"),
    "key-reused": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The idempotency key stands for another request",
    ),
    "too-many-requests": (HTTPStatus.TOO_MANY_REQUESTS, "Too many requests"),
    "bug": (HTTPStatus.INTERNAL_SERVER_ERROR, "This is a bug of rollout"),
    "unavailable": (HTTPStatus.SERVICE_UNAVAILABLE, "The cluster cannot be asked"),
    "misconfigured": (HTTPStatus.SERVICE_UNAVAILABLE, "The controller lacks rights"),
}
"""Every kind of problem, its status and its title; docs/api.md says what to do about each."""

CLUSTER: Final[Mapping[type[ClusterError] | tuple[type[ClusterError], ...], str]] = {
    (Unauthorized, Forbidden): "misconfigured",  # ours: people are asked about by reviews
    NotFound: "not-found",
    (Conflict, AlreadyExists): "conflict",
    TooManyRequests: "too-many-requests",
    ServerFault: "unavailable",
    Refused: "invalid",
}
"""What the cluster's own refusals are to those who asked us; the first that fits."""

NO_JSON: Final = "send a JSON object, with `Content-Type: application/json`"
RETRY_SECONDS: Final = 2


class Problem(Exception):  # noqa: N818 - it is what RFC 9457 calls it
    """A request that is not carried out: kind, sentence, further members, headers."""

    def __init__(
        self,
        kind: str,
        detail: str,
        members: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.status = int(status or TITLES[kind][0])
        self.members = dict(members or {})
        self.headers = dict(headers or {})

    def to_json(self) -> dict[str, Any]:
        """Give the document."""
        said = {
            "type": f"{TYPE}{self.kind}",
            "title": TITLES[self.kind][1],
            "status": self.status,
            "detail": str(self),
        }
        return said | self.members

    def response(self) -> JSONResponse:
        """Give the answer."""
        return JSONResponse(
            self.to_json(), self.status, headers=self.headers, media_type=MEDIA_TYPE
        )


def problem_of(error: Exception) -> Problem:
    """Word any error as a problem."""
    match error:
        case Problem():
            return error
        case CommandRefusedError():
            return _refused(error)
        case ClusterError():
            return _cluster(error)
        case RequestValidationError():
            return _invalid(error)
        case HTTPException():
            return _http(error)
        case _:
            return Problem("bug", "this should not have happened; the controller's log says more")


def _refused(error: CommandRefusedError) -> Problem:
    match error:
        case NotThereError():
            return Problem("not-found", str(error))
        case UnclearError():
            return Problem("invalid", str(error))
        case KeyReusedError():
            return Problem("key-reused", str(error))
        case StaleRevisionError():
            return Problem("stale-revision", str(error), {"currentRevision": error.current})
        case _:
            return Problem("refused", str(error))


def _cluster(error: ClusterError) -> Problem:
    kind = next(
        (word for kinds, word in CLUSTER.items() if isinstance(error, kinds)), "unavailable"
    )
    if kind == "invalid":
        causes = [{"field": one.field, "message": one.message} for one in _causes(error)]
        return Problem(kind, str(error), {"errors": causes})
    if kind == "misconfigured":
        return Problem(kind, f"the controller itself may not do this: {error}")
    headers = {} if kind == "not-found" else _wait(error)
    return Problem(kind, str(error), headers=headers)


def _causes(error: ClusterError) -> tuple[Cause, ...]:
    return error.causes if isinstance(error, Refused) else ()


def _wait(error: ClusterError) -> dict[str, str]:
    asked = error.retry_after if isinstance(error, Refused) else None
    return {"Retry-After": str(max(round(asked or RETRY_SECONDS), 1))}


def _invalid(error: RequestValidationError) -> Problem:
    errors = [_fault(one) for one in error.errors()]
    said = "; ".join(f"{one['field']}: {one['message']}" for one in errors[:5])
    return Problem("invalid", said or "the request cannot be read", {"errors": errors})


def _fault(one: Mapping[str, Any]) -> dict[str, str]:
    """Word one fault; what came in is said back short, and as text whatever it was."""
    where = [shortened(part) for part in one["loc"] if part != "body"]
    secret = "authorization" in where
    message = one["msg"] if secret else worded(one)
    if one["type"] == "model_attributes_type" and not where:
        message = NO_JSON
    said = {"field": ".".join(where) or "body", "message": shortened(message, 300)}
    given = one.get("input")
    if isinstance(given, str | int | float) and not secret:
        said["value"] = shortened(given)
    return said


def _http(error: HTTPException) -> Problem:
    """Word what the framework refuses: an unknown page, a method, a body too long or unreadable."""
    kinds = {404: "not-found", 405: "method-not-allowed", 408: "too-slow", 413: "too-large"}
    if error.status_code not in kinds:
        return Problem("invalid", str(error.detail), status=error.status_code)
    said = {
        404: "there is no such page: /api/v1/openapi.json lists what there is",
        405: f"use {(error.headers or {}).get('Allow', 'another method')}",
        408: "the body stopped in its middle: send it without a pause",
        413: f"the body is longer than {BODY_BYTES} bytes",
    }
    return Problem(kinds[error.status_code], said[error.status_code], headers=error.headers)
