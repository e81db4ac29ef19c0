"""From a policy to the provider that it names: one line per provider."""

from typing import assert_never

from rollout.metrics.addresses import AddressMap
from rollout.metrics.prometheus import Prometheus
from rollout.metrics.provider import MetricsProvider
from rollout.metrics.scrape import Scrape
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.provider import PrometheusProvider, ScrapeProvider


def provider(policy: RolloutPolicySpec, addresses: AddressMap) -> MetricsProvider:
    """Build the provider of a policy. The caller closes it."""
    chosen = policy.provider
    match chosen:
        case PrometheusProvider():
            return Prometheus(policy, chosen)
        case ScrapeProvider():
            return Scrape(policy, chosen, addresses)
        case _:
            assert_never(chosen)
