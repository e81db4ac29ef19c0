"""The problems of the HTTP API as the errors that the cluster's own door raises.

So the same sentence is printed, and the same exit code given, through both.
"""

from typing import Final

import httpx

from rollout.commands.refusal import CommandRefusedError, NotThereError
from rollout.kube.errors import Conflict, Forbidden, Refused, Unauthorized, Unreachable

TYPE: Final = "urn:rollout:problem:"
REFUSALS: Final[dict[str, type[Exception]]] = {
    "unauthorized": Unauthorized,
    "forbidden": Forbidden,
    "not-found": NotThereError,
    "refused": CommandRefusedError,
    "stale-revision": CommandRefusedError,
    "key-reused": CommandRefusedError,
    "invalid": CommandRefusedError,
    "conflict": Conflict,
    "unavailable": Unreachable,
}
"""The error of each kind of problem; of any other it is Refused."""


def refusal_of(answer: httpx.Response) -> Exception:
    """Give the error that an answer stands for; one that is no problem document comes from afar."""
    try:
        said = answer.json()
        kind, detail = str(said["type"]).removeprefix(TYPE), str(said["detail"])
    except (ValueError, KeyError, TypeError):
        return Unreachable(
            f"{answer.url} answered {answer.status_code}, and not as a rollout server does: is "
            "the URL right?"
        )
    return REFUSALS.get(kind, Refused)(detail)
