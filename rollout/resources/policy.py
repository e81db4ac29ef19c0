"""RolloutPolicy: what is measured, what is allowed, and what happens without data."""

from enum import StrEnum
from typing import Final, Literal

from pydantic import Field, model_validator

from rollout.resources.conditions import Condition
from rollout.resources.duration import Duration, seconds
from rollout.resources.metric import LatencyMetric, Metric, RatioMetric, ValueMetric
from rollout.resources.model import Model, ObjectMeta, rules
from rollout.resources.provider import PrometheusProvider, Provider, ScrapeProvider

BUILT_IN: Final = "web-default"
"""What a Rollout gets that names no policy."""


class Then(StrEnum):
    """What happens when a wait for data is over."""

    ROLLBACK = "Rollback"
    PAUSE = "Pause"
    ADVANCE = "Advance"


class Bounded(Model):
    """A wait with an end: hold, then do what was chosen."""

    hold: Duration = Field(default=seconds(300), description="How long the release holds.")
    then: Then = Field(
        default=Then.PAUSE,
        description="Then: Rollback, Pause until a person decides, or Advance without a verdict.",
    )


class Preset(StrEnum):
    """Ready names of counters, and how the tracks are told apart."""

    HTTP = "http"
    ENVOY = "envoy"
    INGRESS_NGINX = "ingress-nginx"


EDGES: Final = (Preset.ENVOY, Preset.INGRESS_NGINX)
"""Presets whose counters are the edge's."""


def twice(name: str) -> str:
    """Say that two metrics have one name."""
    return f"metrics has {name!r} twice: give each metric its own name"


def _needs_prometheus(edge: Preset) -> str:
    return f"preset {edge} needs provider.kind Prometheus: the edge is no pod of the service"


DEFAULT_METRICS: Final[tuple[Metric, ...]] = (
    RatioMetric(name="errors"),
    LatencyMetric(name="latency"),
)


class RolloutPolicySpec(Model):
    """What is measured, what is allowed, and what happens without data."""

    model_config = Model.model_config | {
        "json_schema_extra": rules(
            (
                (
                    "!has(self.metrics) || !self.metrics.exists(m, m.kind == 'Value') || "
                    "(has(self.provider) && self.provider.kind == 'Prometheus')"
                ),
                "a metric of kind Value needs provider.kind Prometheus: set the provider",
            ),
            *(
                (
                    f"!has(self.preset) || self.preset != '{edge}' || "  # noqa: ISC004 - one rule
                    "(has(self.provider) && self.provider.kind == 'Prometheus')",
                    _needs_prometheus(edge),
                )
                for edge in EDGES
            ),
            (
                "!has(self.interval) || duration(self.interval) >= duration('100ms')",
                "interval must be at least 100ms: raise it",
            ),
        )
    }

    preset: Preset = Field(
        default=Preset.HTTP,
        description="http: http_requests_total and http_request_duration_seconds of the pods. "
        "envoy: Envoy's upstream counters per cluster. ingress-nginx: the counters of the "
        "ingress-nginx controller.",
    )
    provider: Provider = Field(
        default=ScrapeProvider(), description="Where counters come from. Left out: the pods."
    )
    metrics: tuple[Metric, ...] = Field(
        default=DEFAULT_METRICS,
        min_length=1,
        max_length=16,
        description="What is judged. Left out: errors and latency of the preset.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    interval: Duration = Field(
        default=seconds(10), description="Time between two readings, each followed by a verdict."
    )
    warmup: Duration = Field(
        default=seconds(0),
        description="Time after each new weight in which nothing is counted: caches fill, "
        "routers follow.",
    )
    alpha: float = Field(
        default=0.01,
        ge=0.000001,
        le=0.2,
        description="How often a healthy release may be rolled back by mistake, over the whole "
        "release and all metrics that count requests. 0.01 is one in a hundred.",
    )
    minimum_requests: int = Field(
        default=100,
        ge=1,
        le=1_000_000,
        description="Requests that each side must have had in a step before it can Pass.",
    )
    minimum_requests_to_fail: int = Field(
        default=20,
        ge=1,
        le=1_000_000,
        description="Requests that each side must have had before a Fail; never more than "
        "minimumRequests.",
    )
    share_tolerance: float = Field(
        default=0.5,
        ge=0.01,
        le=1,
        description="How far the measured share of requests may be from the weight, relative to "
        "it, before counts are no longer trusted (NoData/TrafficMixDiffers). 1 switches it off.",
    )
    no_data: Bounded = Field(
        default=Bounded(), description="When a side has no requests, or none that can be counted."
    )
    provider_error: Bounded = Field(default=Bounded(), description="When metrics cannot be read.")

    @model_validator(mode="after")
    def _consistent(self) -> "RolloutPolicySpec":
        self._refuse_equal_names()
        if self.interval < seconds(0.1):
            raise ValueError("interval must be at least 100ms: raise it")
        if not isinstance(self.provider, PrometheusProvider):
            self._refuse_what_pods_cannot_tell()
        return self

    def _refuse_what_pods_cannot_tell(self) -> None:
        if self.value_metrics:
            raise ValueError(
                f"metric {self.value_metrics[0].name} is of kind Value and needs "
                "provider.kind Prometheus: set the provider"
            )
        if self.preset in EDGES:
            raise ValueError(_needs_prometheus(self.preset))

    def _refuse_equal_names(self) -> None:
        names = [metric.name for metric in self.metrics]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(twice(name))

    @property
    def value_metrics(self) -> tuple[ValueMetric, ...]:
        """The metrics that are a number within limits."""
        return tuple(m for m in self.metrics if isinstance(m, ValueMetric))


class RolloutPolicyStatus(Model):
    """What is observed of a policy. The controller writes none of it: a policy is only read.

    The subresource is there for tools that judge policies, so that they need not write the spec.
    """

    observed_generation: int | None = Field(
        default=None, description="Generation that the conditions speak of."
    )
    conditions: list[Condition] = Field(default_factory=list, description="Observations.")


class RolloutPolicy(Model):
    """What is measured, what is allowed, and what happens without data."""

    model_config = Model.model_config | {"extra": "ignore"}

    api_version: Literal["rollout.dev/v1alpha1"] = "rollout.dev/v1alpha1"
    kind: Literal["RolloutPolicy"] = "RolloutPolicy"
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: RolloutPolicySpec = Field(
        default_factory=RolloutPolicySpec, description="The policy itself."
    )
    status: RolloutPolicyStatus = Field(
        default_factory=RolloutPolicyStatus, description="What was observed."
    )
