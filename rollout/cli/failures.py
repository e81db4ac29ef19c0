"""Errors as sentences for people, with the way out."""

from pydantic import ValidationError

from rollout.cli.server_errors import ServerNotReady, ServerUnreachable
from rollout.commands.refusal import CommandRefusedError
from rollout.kube.errors import ClusterError, Forbidden, NotFound, Unreachable
from rollout.resources import faults

PREFIXES: dict[type[BaseException], str] = {
    Forbidden: "not allowed: ",
    ServerNotReady: "the rollout server cannot do this now: ",
    ServerUnreachable: "the rollout server cannot be reached: ",
    Unreachable: "the cluster cannot be reached: ",
    ClusterError: "",
    CommandRefusedError: "",
    OSError: "",
    ValueError: "",
}
"""What is said before the words of an error; the first kind that fits."""

NO_CRDS = (
    "rollout's own kinds are not installed: `rollout install | kubectl apply -f -` brings them "
    "with the controller, `rollout crds | kubectl apply -f -` them alone"
)


def sentence(error: BaseException) -> str | None:
    """Word an error; None for what is a bug of ours and deserves its traceback."""
    if isinstance(error, NotFound) and _is_missing_kind(error):
        return NO_CRDS
    if isinstance(error, ValidationError):
        return f"{error.title}: {faults.sentence(error)}"
    prefix = next((said for kind, said in PREFIXES.items() if isinstance(error, kind)), None)
    return None if prefix is None else f"{prefix}{error}{_way_out(error)}{_rule(error)}"


def _way_out(error: BaseException) -> str:
    """Say who knows what would allow it, where only RBAC has refused."""
    by_rbac = isinstance(error, Forbidden) and " cannot " in str(error)
    return "; `rollout doctor` names the role that has it" if by_rbac else ""


def _rule(error: BaseException) -> str:
    """Give the rule that would allow what was refused, for `kubectl apply -f -`, if there is one.

    The lines after the sentence are a whole YAML document.
    """
    rule = error.details.get("rbac") if isinstance(error, Forbidden) else None
    return f"\n# rbac, for `kubectl apply -f -`\n{str(rule).rstrip()}" if rule else ""


def _is_missing_kind(error: NotFound) -> bool:
    return "could not find the requested resource" in str(error) or "page not found" in str(error)
