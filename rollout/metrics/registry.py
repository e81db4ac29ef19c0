"""From a policy to the provider that it names: one line per provider."""

from typing import assert_never

from rollout.metrics.addresses import AddressMap
from rollout.metrics.credentials import Keys
from rollout.metrics.prometheus import Prometheus
from rollout.metrics.provider import MetricsProvider
from rollout.metrics.scrape import Scrape
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.provider import PrometheusProvider, ScrapeProvider


def provider(
    policy: RolloutPolicySpec, addresses: AddressMap, keys: Keys | None = None
) -> MetricsProvider:
    """Build the provider that a policy names, for all releases with the same. The caller closes it.

    `keys` says where its credentials come from; left out, from nowhere.
    """
    chosen = policy.provider
    match chosen:
        case PrometheusProvider():
            return Prometheus(chosen, keys or Keys())
        case ScrapeProvider():
            return Scrape(chosen, addresses)
        case _:
            assert_never(chosen)


def same_provider(policy: RolloutPolicySpec, namespace: str) -> str:
    """Name what policies must have in common to be served by one provider.

    Secrets are read in a policy's namespace, so who uses them shares within it only.
    """
    chosen = policy.provider
    within = isinstance(chosen, PrometheusProvider) and chosen.uses_secrets
    return f"{namespace if within else ''} {chosen.model_dump_json()}"
