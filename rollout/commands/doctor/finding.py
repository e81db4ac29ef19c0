"""What a check has found."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from pydantic import ValidationError

from rollout.kube.errors import ClusterError
from rollout.resources.faults import sentence


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; what is not well has its mend."""

    check: str
    level: Level
    message: str
    mend: str = ""


def ok(check: str, message: str) -> Finding:
    """Say that something is well."""
    return Finding(check, Level.OK, message)


def warning(check: str, message: str, mend: str) -> Finding:
    """Say that something may do harm, or could not be looked at."""
    return Finding(check, Level.WARNING, message, mend)


def problem(check: str, message: str, mend: str) -> Finding:
    """Say that something keeps releases from working."""
    return Finding(check, Level.PROBLEM, message, mend)


def guarded(check: str, look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """Look at something; a cluster that does not let us is a finding, and so is a bad object."""
    try:
        return list(look())
    except ClusterError as error:
        mend = "look as somebody who may read that"
        return [warning(check, f"could not be looked at: {error}", mend)]
    except ValidationError as error:
        said = f"the {error.title} is invalid: {sentence(error)}"
        return [problem(check, said, "correct it with `kubectl edit`")]
