"""Errors as sentences for people, with the way out."""

from pydantic import ValidationError

from rollout.commands.refusal import CommandRefusedError
from rollout.kube.errors import ClusterError, Forbidden, NotFound, Unreachable

PREFIXES: dict[type[BaseException], str] = {
    Forbidden: "not allowed: ",
    Unreachable: "the cluster cannot be reached: ",
    ClusterError: "",
    CommandRefusedError: "",
    OSError: "",
    ValueError: "",
}
"""What is said before the words of an error; the first kind that fits."""

NO_CRDS = "rollout's own kinds are not installed: `rollout crds | kubectl apply --server-side -f -`"


def sentence(error: BaseException) -> str | None:
    """Word an error; None for what is a bug of ours and deserves its traceback."""
    if isinstance(error, NotFound) and _is_missing_kind(error):
        return NO_CRDS
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return f"{error.title}: {where}: {first['msg']}"
    prefix = next((said for kind, said in PREFIXES.items() if isinstance(error, kind)), None)
    return None if prefix is None else f"{prefix}{error}"


def _is_missing_kind(error: NotFound) -> bool:
    return "could not find the requested resource" in str(error) or "page not found" in str(error)
