"""The controller's own metrics, in a registry of their own.

Labels are few and closed sets: no names of Rollouts or pods, so that the number of series does
not grow with the cluster.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

PREFIX: Final = "rollout_controller"
BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """What the controller counts about itself."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        given: dict[str, Any] = {"registry": self.registry}
        self.passes = Counter(
            f"{PREFIX}_passes", "Passes over a Rollout, by how they ended.", ["result"], **given
        )
        self.errors = Counter(
            f"{PREFIX}_errors",
            "Errors, by kind and by where they happened.",
            ["kind", "at"],
            **given,
        )
        self.pass_seconds = Histogram(
            f"{PREFIX}_pass_seconds", "How long a pass took.", buckets=BUCKETS, **given
        )
        self.writes = Counter(
            f"{PREFIX}_writes", "Writes to the cluster.", ["verb", "kind", "result"], **given
        )
        self.verdicts = Counter(
            f"{PREFIX}_verdicts", "Verdicts formed, by result.", ["result"], **given
        )
        self.readings = Counter(
            f"{PREFIX}_metric_readings", "Readings of metrics, by outcome.", ["outcome"], **given
        )

    def follow(
        self,
        leading: Callable[[], bool],
        waiting: Callable[[], int],
        phases: Callable[[], Mapping[str, int]],
    ) -> None:
        """Show how things stand, asked whenever somebody reads the metrics."""
        leader = Gauge(
            f"{PREFIX}_leader", "1 while this process leads, else 0.", registry=self.registry
        )
        leader.set_function(lambda: float(leading()))
        depth = Gauge(
            f"{PREFIX}_queue_depth", "Rollouts that wait for a pass.", registry=self.registry
        )
        depth.set_function(lambda: float(waiting()))
        self.registry.register(_Phases(phases))

    def text(self) -> bytes:
        """Give all metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class _Phases(Collector):
    def __init__(self, count: Callable[[], Mapping[str, int]]) -> None:
        self._count = count

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = GaugeMetricFamily(f"{PREFIX}_releases", "Releases by phase.", labels=["phase"])
        for phase, number in sorted(self._count().items()):
            family.add_metric([phase], number)
        yield family
