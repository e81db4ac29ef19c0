"""The problems of the HTTP API as the errors that the cluster's own door raises.

So the same sentence is printed, and the same exit code given, through both.
"""

from typing import Any, Final

import httpx

from rollout.cli.server_errors import ServerNotReady, ServerUnreachable
from rollout.commands.refusal import CommandRefusedError, NotThereError
from rollout.kube.errors import Conflict, Forbidden, Refused, Unauthorized

TYPE: Final = "urn:rollout:problem:"
REFUSALS: Final[dict[str, type[Exception]]] = {
    "unauthorized": Unauthorized,
    "not-found": NotThereError,
    "refused": CommandRefusedError,
    "stale-revision": CommandRefusedError,
    "key-reused": CommandRefusedError,
    "invalid": CommandRefusedError,
    "conflict": Conflict,
}
"""The error of each kind of problem; of any other it is Refused."""

NOT_NOW: Final = frozenset({"unavailable", "too-many-requests"})
BUSY: Final = frozenset({502, 503, 504})
"""What proxies say of a server that is away, and uvicorn when too many are connected."""

EVERY: Final = 0.5
"""Seconds after which to ask again, when the server does not say."""


def refusal_of(answer: httpx.Response) -> Exception:
    """Give the error that an answer stands for; one that is no problem document comes from afar."""
    try:
        said = answer.json()
        kind, detail = str(said["type"]).removeprefix(TYPE), str(said["detail"])
    except (ValueError, KeyError, TypeError):
        return _foreign(answer)
    if kind in NOT_NOW:
        return ServerNotReady(detail, _wait(answer))
    if kind == "forbidden":
        return Forbidden(detail, details=_rule(said))
    return REFUSALS.get(kind, Refused)(detail)


def _foreign(answer: httpx.Response) -> ServerUnreachable:
    if answer.status_code in BUSY:
        return ServerNotReady(
            f"{answer.url} answered {answer.status_code}: the server is busy, or being started: "
            "try again",
            _wait(answer),
        )
    return ServerUnreachable(
        f"{answer.url} answered {answer.status_code}, and not as a rollout server does: is the "
        "URL right?"
    )


def _wait(answer: httpx.Response) -> float:
    said = answer.headers.get("Retry-After", "")
    return max(float(said), EVERY) if said.isdecimal() else EVERY


def _rule(said: dict[str, Any]) -> dict[str, str]:
    """Keep the ready rule of a refusal for who words it."""
    rule = said.get("rbac")
    return {"rbac": rule} if isinstance(rule, str) else {}
