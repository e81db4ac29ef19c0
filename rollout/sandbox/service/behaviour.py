"""What the sample service answers: a pure choice per request, so that dials are tested exactly.

Randomness and time come in as values; sockets are elsewhere.
"""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from rollout.sandbox.service.dials import Dials

VERSION_HEADER: Final = "x-version"
DIALLED_HEADER: Final = "x-dialled"
"""Marks an error that a dial asked for: the candidate's own, and nobody else's."""

DURATION_BOUNDS: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5),
    *(0.75, 1.0, 2.5, 5.0, 10.0),
)
"""Bounds of `http_request_duration_seconds`, in seconds: close where policies draw lines."""

OVERLOAD_WINDOW: Final = 2.0
"""Seconds over which a pod's load is averaged: a second of chance arrivals is no overload."""

_JSON: Final = "application/json"
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Answer:
    """A response, to be sent after `delay` seconds. `counted` ones show up in the metrics."""

    status: int
    body: bytes
    content_type: str = _JSON
    dialled: bool = False
    delay: float = 0.0
    counted: bool = False


class Metrics:
    """The two families of metrics that nearly every HTTP service has, under their usual names."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "http_requests", "Requests answered.", ["method", "code"], registry=self._registry
        )
        self._durations = Histogram(
            "http_request_duration_seconds",
            "From the last byte of the request to the first byte of the answer.",
            buckets=DURATION_BOUNDS,
            registry=self._registry,
        )

    def count(self, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self._requests.labels(method, str(status)).inc()
        self._durations.observe(seconds)

    def text(self) -> bytes:
        """Metrics in the Prometheus text format."""
        return generate_latest(self._registry)


@dataclass
class Load:
    """Requests a second on this pod, averaged over a short window."""

    limit: float
    _arrivals: deque[float] = field(default_factory=deque)

    def exceeded(self, now: float) -> bool:
        """Count an arrival at `now` and say whether the pod has more than it can do."""
        self._arrivals.append(now)
        while self._arrivals[0] <= now - OVERLOAD_WINDOW:
            self._arrivals.popleft()
        return len(self._arrivals) > self.limit * OVERLOAD_WINDOW


class Behaviour:
    """Answers requests as the dials say. Probes and scrapes are never counted or harmed."""

    def __init__(
        self, version: str, pod: str, dials: Dials, chance: Callable[[], float], metrics: Metrics
    ) -> None:
        self._dials = dials
        self._chance = chance
        self._metrics = metrics
        self._load = Load(dials.overload) if dials.overload is not None else None
        self._good = json.dumps({"version": version, "pod": pod}).encode()
        self._bad = json.dumps({"version": version, "pod": pod, "error": "dialled"}).encode()

    def answer(self, path: str, now: float) -> Answer:
        """Answer one request that arrived at `now` (monotonic seconds)."""
        match path.partition("?")[0]:
            case "/ready":
                return self._readiness()
            case "/health":
                return Answer(200, b'{"status": "alive"}')
            case "/metrics":
                return Answer(200, self._metrics.text(), _TEXT)
            case _:
                return self._work(now)

    def _readiness(self) -> Answer:
        if self._dials.never_ready:
            return Answer(503, b'{"status": "never ready, as dialled"}')
        return Answer(200, b'{"status": "ready"}')

    def _work(self, now: float) -> Answer:
        delay = self._dials.slow_seconds if self._happens(self._dials.slow_share) else 0.0
        if self._load is not None and self._load.exceeded(now):
            return Answer(503, self._bad, dialled=True, delay=delay, counted=True)
        if self._happens(self._dials.errors):
            return Answer(500, self._bad, dialled=True, delay=delay, counted=True)
        return Answer(200, self._good, delay=delay, counted=True)

    def _happens(self, share: float) -> bool:
        return share > 0 and self._chance() < share
