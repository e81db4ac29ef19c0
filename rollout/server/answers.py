"""The answers of the routes, for the OpenAPI document: problems, and examples of what is fine."""

from typing import Any, Final

from rollout.server.models import ProblemDocument

Answers = dict[int | str, dict[str, Any]]
"""By status, as FastAPI takes them."""

SAID: Final = {
    401: "The token is missing, or the cluster does not know it.",
    403: "The cluster does not allow it; `missing` names the verb, `rbac` holds a rule that would.",
    404: "There is no such thing.",
    409: "It cannot be done now, or somebody else was faster.",
    400: "The body cannot be read.",
    408: "The body stopped in its middle.",
    413: "The body is too large.",
    422: "The request cannot be understood; `errors` names the fields.",
    429: "Too many requests; `Retry-After` says when to try again.",
    503: "The cluster cannot be asked, or the caches are being filled.",
}


def _problems(*statuses: int) -> Answers:
    return {code: {"model": ProblemDocument, "description": SAID[code]} for code in statuses}


def shows(example: Any, *, status: int = 200, media: str = "application/json") -> Answers:
    """Show what a route answers when all is well."""
    return {status: {"content": {media: {"example": example}}}}


READ: Final = _problems(401, 403, 404, 422, 429, 503)
CHANGE: Final = _problems(400, 401, 403, 404, 408, 409, 413, 422, 429, 503)
