"""Policies looked at before a release rests on them: every problem, and what would be asked."""

from collections.abc import Iterable

from rollout.commands.refusal import CommandRefusedError
from rollout.commands.spaces import refuse_missing
from rollout.kube.cluster import Cluster
from rollout.kube.errors import NotFound
from rollout.metrics.promql import mistake, shown
from rollout.resources.lint import Document, Problem, documents, from_cluster
from rollout.resources.objects import name_of
from rollout.resources.policy import RolloutPolicySpec
from rollout.resources.writes import Kind


def lint_text(text: str, file: str) -> list[Problem]:
    """Give every problem of a policy file."""
    return [problem for one in documents(text, file) for problem in _all(one)]


def lint_cluster(cluster: Cluster, namespace: str) -> tuple[int, list[Problem]]:
    """Give the number of policies of a namespace, and all their problems.

    Raises NotThereError when there is no such namespace, ClusterError for the cluster.
    """
    found = cluster.list(Kind.ROLLOUT_POLICY, namespace).items
    if not found:
        refuse_missing(cluster, namespace)
    return len(found), [problem for raw in found for problem in _all(from_cluster(raw))]


def _all(document: Document) -> Iterable[Problem]:
    yield from document.problems
    for place, query in document.queries:
        found = mistake(query)
        if found is not None:
            said = f"{found.message}, {shown(query, found.offset)}"
            yield document.problem(place, said)


def policy_named(cluster: Cluster, namespace: str, name: str) -> RolloutPolicySpec:
    """Give a policy of the cluster.

    Raises CommandRefusedError when there is none of that name or it has problems.
    """
    try:
        raw = cluster.get(Kind.ROLLOUT_POLICY, namespace, name)
    except NotFound as error:
        if error.kind_is_missing:
            raise
        there = ", ".join(map(name_of, cluster.list(Kind.ROLLOUT_POLICY, namespace).items))
        raise CommandRefusedError(
            f"there is no RolloutPolicy {name} in namespace {namespace} (there are: "
            f"{there or 'none'}), and no such file"
        ) from error
    return sound(from_cluster(raw))


def policy_in(text: str, file: str) -> RolloutPolicySpec:
    """Give the first policy of a file; raises CommandRefusedError when it has problems."""
    return sound(documents(text, file)[0])


def sound(document: Document) -> RolloutPolicySpec:
    """Give the policy of a document; raises CommandRefusedError listing all its problems."""
    problems = list(_all(document))
    if problems or document.policy is None:
        raise CommandRefusedError("\n".join(map(str, problems)))
    return document.policy.spec
