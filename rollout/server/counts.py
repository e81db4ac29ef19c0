"""What the API counts about itself. Labels are few and closed sets: no names, no people."""

from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PREFIX: Final = "rollout_api"
BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


def method_of(method: str) -> str:
    """Name a method as a label: anybody can invent more, and each would be a series for ever."""
    return method if method in METHODS else "other"


class Counts:
    """The API's metrics, in the registry of the daemon."""

    def __init__(self, registry: CollectorRegistry) -> None:
        given: dict[str, Any] = {"registry": registry}
        self.requests = Counter(
            f"{PREFIX}_requests",
            "Requests, by method, route and status.",
            ["method", "route", "status"],
            **given,
        )
        self.seconds = Histogram(
            f"{PREFIX}_request_seconds",
            "How long it took to answer, streams left out.",
            buckets=BUCKETS,
            **given,
        )
        self.changes = Counter(
            f"{PREFIX}_changes",
            "Changes asked for, by kind and outcome.",
            ["what", "outcome"],
            **given,
        )
        self.reviews = Counter(
            f"{PREFIX}_reviews",
            "Questions to the cluster about people, by kind and answer.",
            ["kind", "answer"],
            **given,
        )
        self.streams = Gauge(f"{PREFIX}_streams", "Streams that are open.", **given)
        self.cut = Counter(
            f"{PREFIX}_streams_cut", "Streams ended because the reader fell behind.", **given
        )
