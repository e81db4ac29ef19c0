"""The controller's own metrics."""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PREFIX: Final = "rollout_controller"


class Telemetry:
    """Counters and gauges of one controller process, on a registry of its own."""

    def __init__(self, leading: Callable[[], bool], waiting: Callable[[], int]) -> None:
        """Register them. `leading` and `waiting` are asked when metrics are read."""
        self.registry = CollectorRegistry()
        self._passes = Histogram(
            f"{PREFIX}_pass_seconds", "Duration of a pass over one Rollout.", registry=self.registry
        )
        self._errors = Counter(
            f"{PREFIX}_errors", "What went wrong, by kind.", ["kind"], registry=self.registry
        )
        self._writes = Counter(
            f"{PREFIX}_writes",
            "Writes to the API, by verb and kind.",
            ["verb", "kind"],
            registry=self.registry,
        )
        self._phases = Counter(
            f"{PREFIX}_phases_entered", "Phases entered.", ["phase"], registry=self.registry
        )
        leader = Gauge(f"{PREFIX}_leader", "1 while this process leads.", registry=self.registry)
        leader.set_function(lambda: float(leading()))
        depth = Gauge(f"{PREFIX}_queue_depth", "Keys that wait.", registry=self.registry)
        depth.set_function(lambda: float(waiting()))

    def passed(self, seconds: float) -> None:
        """Count a pass."""
        self._passes.observe(seconds)

    def failed(self, kind: str) -> None:
        """Count something that went wrong."""
        self._errors.labels(kind).inc()

    def wrote(self, verb: str, kind: str) -> None:
        """Count a write."""
        self._writes.labels(verb, kind).inc()

    def entered(self, phase: str) -> None:
        """Count a phase that a release has entered."""
        self._phases.labels(phase).inc()
