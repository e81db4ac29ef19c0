"""Where a policy's counters come from."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from rollout.resources.duration import Duration, seconds
from rollout.resources.metric import Matcher, known_variables
from rollout.resources.model import Model


class PrometheusProvider(Model):
    """Counters are asked of Prometheus, or of anything that speaks its query API."""

    kind: Literal["Prometheus"] = Field(default="Prometheus", description="Ask Prometheus.")
    address: str = Field(
        max_length=500,
        pattern=r"^https?://[^/?#\s]+[^?#\s]*$",
        description="Base URL, such as http://prometheus.monitoring:9090.",
    )
    headers: dict[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")], Annotated[str, Field(max_length=4000)]
    ] = Field(
        default={},
        max_length=16,
        description="HTTP headers sent with each query, such as X-Scope-OrgID.",
    )
    timeout: Duration = Field(
        default=seconds(5), description="Longest wait for one answer of Prometheus."
    )
    track_matchers: tuple[Matcher, ...] | None = Field(
        default=None,
        max_length=16,
        description="How the series of one track are told apart. Values may use ${namespace}, "
        "${service}, ${track}, ${hash}, ${pods}. Left out: the preset's.",
    )

    @model_validator(mode="after")
    def _known(self) -> "PrometheusProvider":
        for matcher in self.track_matchers or ():
            known_variables(f"trackMatchers, label {matcher.label},", matcher.value)
        return self


class ScrapeProvider(Model):
    """Counters are read from the pods' own /metrics, found by their prometheus.io annotations."""

    kind: Literal["Scrape"] = Field(default="Scrape", description="Read the pods.")
    timeout: Duration = Field(
        default=seconds(1), description="Longest wait for one pod; all are read at once."
    )


Provider: TypeAlias = Annotated[PrometheusProvider | ScrapeProvider, Field(discriminator="kind")]
