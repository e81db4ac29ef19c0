"""What the service shows of itself: the families of metrics that policies compare by default."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

DURATION_BOUNDS: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5),
    *(0.75, 1.0, 2.5, 5.0, 10.0),
)
"""Bounds of `http_request_duration_seconds`, in seconds: close where policies draw lines."""


class Measures:
    """Counters of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "http_requests", "Requests answered.", ["method", "code"], registry=self._registry
        )
        self._durations = Histogram(
            "http_request_duration_seconds",
            "From a request to the end of its answer.",
            buckets=DURATION_BOUNDS,
            registry=self._registry,
        )
        self._tokens = Counter("agent_tokens", "Tokens generated.", registry=self._registry)

    def count(self, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self._requests.labels(method, str(status)).inc()
        self._durations.observe(seconds)

    def spend(self, tokens: int) -> None:
        """Count what an answer took."""
        self._tokens.inc(tokens)

    def text(self) -> bytes:
        """Give the metrics in the Prometheus text format."""
        return generate_latest(self._registry)
