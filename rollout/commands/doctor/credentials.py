"""What Prometheus is asked with: who may read it, the controller and whoever runs the doctor.

The doctor reads Secrets with a person's rights. What those do not reach says nothing about the
controller, and what they do reach says nothing either: its own rights are asked for by review.
"""

from collections.abc import Iterator

from pydantic import ValidationError

from rollout.commands.doctor.finding import Finding, ok, warning
from rollout.commands.doctor.rights import Right
from rollout.kube.cluster import Cluster
from rollout.metrics.credentials import (
    FIELD,
    Keys,
    SecretError,
    SecretForbiddenError,
    SecretUnavailableError,
)
from rollout.resources.objects import name_of
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.provider import PrometheusProvider
from rollout.resources.release import Phase
from rollout.resources.writes import Kind, Object

AS_CONTROLLER = "`rollout doctor --as-controller` asks whether the controller may"
IN_POD = (
    "see that the controller runs with --credentials-folder and has the file under it; the "
    "condition MetricsAvailable of a release says whether metrics are read with it"
)


def unseen(check: str, policy: RolloutPolicySpec, namespace: str, keys: Keys) -> Iterator[Finding]:
    """Warn of what cannot be had from here, so that Prometheus cannot be asked from here."""
    provider = policy.provider
    if not isinstance(provider, PrometheusProvider):
        return
    not_asked = f"{provider.address} was not asked from here"
    for field, path in provider.from_files.items():
        if keys.folder is None:
            said = f"{FIELD}.{field}: {path} is a file in the controller's pod"
            yield warning(check, f"{not_asked}: {said}", IN_POD)
    for name, field in _fields(provider).items():
        try:
            keys.secrets(namespace, name)
        except SecretForbiddenError as error:
            said, _, mend = str(error).rpartition(": ")
            yield warning(
                check,
                f"{not_asked}: {FIELD}.{field}: {said}",
                f"{AS_CONTROLLER}; to look at the metrics from here, {mend}",
            )
        except SecretUnavailableError as error:
            yield warning(check, f"{not_asked}: {FIELD}.{field}: {error}", "look again")
        except SecretError:
            continue  # the provider says what is wrong with it


def borrowed(check: str, policy: RolloutPolicySpec, namespace: str) -> Iterator[Finding]:
    """Say whose rights a good answer rests on."""
    if isinstance(policy.provider, PrometheusProvider) and policy.provider.uses_secrets:
        names = ", ".join(f"{namespace}/{name}" for name in _fields(policy.provider))
        yield ok(check, f"you may read Secret {names}; {AS_CONTROLLER}")


def wanted(cluster: Cluster, namespace: str) -> Iterator[Right]:
    """Name every Secret that a policy in sight names, as a right to that one alone.

    Raises ClusterError for the cluster.
    """
    users = dict[str, dict[str, None]]()
    for user, provider in _providers(cluster, namespace):
        for ref in provider.from_secrets.values():
            users.setdefault(ref.name, {})[user] = None
    for name, of in users.items():
        yield Right("", "secrets", ("get",), f"read metrics by {' and '.join(of)}", name=name)


def _fields(provider: PrometheusProvider) -> dict[str, str]:
    """Give the first field that names each Secret."""
    found = dict[str, str]()
    for field, ref in provider.from_secrets.items():
        found.setdefault(ref.name, field)
    return found


def _providers(cluster: Cluster, namespace: str) -> Iterator[tuple[str, PrometheusProvider]]:
    for user, spec in _policies(cluster, namespace):
        try:
            provider = RolloutPolicySpec.model_validate(spec).provider
        except ValidationError:
            continue  # nothing is read by it; the release that names it is told why
        if isinstance(provider, PrometheusProvider):
            yield user, provider


def _policies(cluster: Cluster, namespace: str) -> Iterator[tuple[str, Object]]:
    """Give the policies of a namespace, and those that stand inline or are frozen in a release."""
    for policy in cluster.list(Kind.ROLLOUT_POLICY, namespace).items:
        yield f"RolloutPolicy {name_of(policy)}", policy.get("spec") or {}
    for rollout in cluster.list(Kind.ROLLOUT, namespace).items:
        yield f"Rollout {name_of(rollout)}", _inline(rollout["spec"])
    for release in cluster.list(Kind.RELEASE, namespace).items:
        status = release.get("status") or {}
        if not Phase(status.get("phase") or Phase.PENDING).ended:
            frozen = (status.get("resolved") or {}).get("policy")
            spec = frozen or _inline(release["spec"].get("overrides") or {})
            yield f"Release {name_of(release)}", spec


def _inline(spec: Object) -> Object:
    return (spec.get("policy") or {}).get("inline") or {}
