"""A metric of the input on its way into a policy."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from rollout.convert.conditions import Limits
from rollout.convert.recognise import Recognised
from rollout.resources.provider import SECRET_HEADERS

ADDRESS: Final = "http://prometheus.monitoring:9090"
"""What is written where the input names no Prometheus."""
ELSEWHERE: Final = (
    "metrics come from Prometheus or from the pods: export this one to Prometheus and write a "
    "metric of kind Value"
)
MOST_FAILURES: Final = 100


class LeftOutError(ValueError):
    """Why a metric cannot be in the policy, and what to do."""


@dataclass(frozen=True)
class Asked:
    """A metric of the input, as a number within limits and, where proved, as something better."""

    name: str
    query: str
    limits: Limits
    better: Recognised | None
    provider: dict[str, Any]
    guessed: str = ""
    """What to say of an address that the input does not name; empty where it does."""
    failures: dict[str, int] = field(default_factory=dict)
    ignored: bool = False
    notes: tuple[str, ...] = ()
    interval: timedelta | None = None
    warmup: timedelta = timedelta(0)


def failures(allowed: int, of: int | None) -> dict[str, int]:
    """Fail at one bad measurement more than allowed, among as many as there were."""
    count = min(allowed + 1, MOST_FAILURES)
    return {"count": count, "of": min(max(of or MOST_FAILURES, count), MOST_FAILURES)}


def secret(header: str) -> bool:
    """Whether a header holds what must not stand in a policy."""
    return header.lower() in {name.lower() for name in SECRET_HEADERS}
