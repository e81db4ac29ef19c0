"""What can go wrong between us and the API server: one tree, built from the server's answer.

    ClusterError
    ├── NotConfigured        no way to a cluster was found: fix the kubeconfig or the flags
    ├── Unreachable          no whole answer came: refused, timed out, broken off; it may have
    │                        been carried out all the same
    └── Refused              an answer came, and it says no
        ├── Unauthorized     401, the credentials are not known
        ├── Forbidden        403, the credentials are known and not enough
        ├── NotFound         404, no such object, or no such kind (`kind_is_missing`)
        ├── AlreadyExists    409 on create
        ├── Conflict         409, somebody else wrote first: read again, decide again
        ├── Gone             410, the version to watch from is forgotten: list again
        ├── Invalid          422, the object breaks a rule; `causes` name the fields
        ├── TooManyRequests  429, wait for `retry_after`
        └── ServerFault      5xx, the server's own trouble

The branches are what a caller does next, so nobody compares status numbers. Errors of the
client library stop here and stay visible as the cause. Messages are the server's own words: it
names field and value better than we could.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar


class ClusterError(Exception):
    """The cluster could not be asked, or did not do what was asked."""


class NotConfigured(ClusterError):  # noqa: N818 - the tree reads as states, not as "...Error"
    """Neither a kubeconfig nor a pod's service account leads to a cluster."""


class Unreachable(ClusterError):  # noqa: N818
    """No whole answer came. A write may have been carried out all the same."""


@dataclass(frozen=True)
class Cause:
    """One reason of a refusal, as the server lists them in `details.causes`."""

    field: str
    message: str
    reason: str = ""


class Refused(ClusterError):  # noqa: N818
    """The server answered no.

    `status` is the HTTP status, `reason` the one-word reason of the Status object, `message`
    its sentence, `details` its details (kind, name, causes), `retry_after` the wait that the
    server asks for, in seconds.
    """

    default_status: ClassVar[int] = 400
    default_reason: ClassVar[str] = "BadRequest"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        reason: str | None = None,
        details: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = self.default_status if status is None else status
        self.reason = self.default_reason if reason is None else reason
        self.details: Mapping[str, Any] = details or {}
        self.retry_after = retry_after

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The single faults behind the refusal, each with its field path."""
        return tuple(
            Cause(c.get("field", ""), c.get("message", ""), c.get("reason", ""))
            for c in self.details.get("causes") or ()
        )


class Unauthorized(Refused):
    """The server does not know who asks (401)."""

    default_status = 401
    default_reason = "Unauthorized"


class Forbidden(Refused):
    """The server knows who asks, and does not allow it (403)."""

    default_status = 403
    default_reason = "Forbidden"


class NotFound(Refused):
    """There is no such object, or no such kind (404)."""

    default_status = 404
    default_reason = "NotFound"

    @property
    def kind_is_missing(self) -> bool:
        """Whether the kind itself is unknown to the server: its CRD is not installed."""
        return not self.details.get("name")


class AlreadyExists(Refused):
    """The name is taken (409 on create)."""

    default_status = 409
    default_reason = "AlreadyExists"


class Conflict(Refused):
    """The object is not the one that was decided on: its resourceVersion or uid moved (409)."""

    default_status = 409
    default_reason = "Conflict"


class Gone(Refused):
    """The resourceVersion to watch from is no longer kept (410)."""

    default_status = 410
    default_reason = "Expired"


class Invalid(Refused):
    """The object breaks a rule of its schema (422); `causes` name the fields."""

    default_status = 422
    default_reason = "Invalid"


class TooManyRequests(Refused):
    """The server is throttling, or a disruption budget forbids an eviction (429)."""

    default_status = 429
    default_reason = "TooManyRequests"


class ServerFault(Refused):
    """The server failed (5xx); `retry_after` is set where it says how long to wait."""

    default_status = 500
    default_reason = "InternalError"


BY_STATUS: dict[int, type[Refused]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
}

SERVER_FAULTS = range(500, 600)


def refusal(
    status: int, payload: Mapping[str, Any] | None = None, *, retry_after: float | None = None
) -> Refused:
    """Make the error of an answer: `payload` is the Status object, where there was one.

    `retry_after` is the header's value in seconds; without it the payload's own
    `details.retryAfterSeconds` counts.
    """
    payload = payload or {}
    details = payload.get("details") or {}
    reason = payload.get("reason") or None
    message = payload.get("message") or f"the server answered {status} without saying why"
    wait = retry_after if retry_after is not None else details.get("retryAfterSeconds")
    return _branch(status, reason)(
        message, status=status, reason=reason, details=details, retry_after=wait
    )


def _branch(status: int, reason: str | None) -> type[Refused]:
    if status == AlreadyExists.default_status and reason == AlreadyExists.default_reason:
        return AlreadyExists
    if status in SERVER_FAULTS:
        return ServerFault
    return BY_STATUS.get(status, Refused)
