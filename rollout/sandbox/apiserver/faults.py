"""Faults on purpose, so that tests see what a client does when the API server is unwell."""

from dataclasses import dataclass
from typing import Final

NO_VERBS: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True)
class Faults:
    """What is wrong with the server; the empty value is a healthy one.

    Set it on a running server (`server.faults = Faults(status=429, times=3)`); what was frozen
    goes on when the next value is set.
    """

    delay: float = 0.0
    """Seconds before each answer."""
    status: int = 0
    """Answer with this error (409, 429, 500, ...) instead of doing what was asked."""
    retry_after: int = 0
    """Seconds for the Retry-After header that goes with `status`."""
    lost_answer: bool = False
    """Do what was asked, then break the connection instead of answering."""
    refuse: bool = False
    """Break the connection before doing anything."""
    freeze: bool = False
    """Take requests and neither answer nor close, until other faults are set."""
    drop_watches: bool = False
    """Break off every watch, running and new."""
    forget: bool = False
    """Answer 410 to watches that go on from a version."""
    times: int | None = None
    """How many requests are struck before the server is well again; None is no end."""
    verbs: frozenset[str] = NO_VERBS
    """Only these verbs (get, list, watch, create, update, patch, delete); empty is all."""
    resources: frozenset[str] = NO_VERBS
    """Only these resources (plural names); empty is all."""

    def strikes(self, verb: str, plural: str) -> bool:
        """Whether a request is one of those that suffer."""
        return (not self.verbs or verb in self.verbs) and (
            not self.resources or plural in self.resources
        )


HEALTHY: Final = Faults()
