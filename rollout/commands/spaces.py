"""Whether the namespace that was named is there, asked where nothing was found in it."""

from rollout.commands.refusal import NotThereError
from rollout.kube.cluster import Cluster
from rollout.kube.errors import ClusterError, NotFound
from rollout.resources.writes import Kind


def refuse_missing(cluster: Cluster, namespace: str) -> None:
    """Raise NotThereError when there is no such namespace; who may not see that is not told."""
    try:
        cluster.get(Kind.NAMESPACE, "", namespace)
    except NotFound as error:
        raise NotThereError(
            f"there is no namespace {namespace}: name another with --namespace"
        ) from error
    except ClusterError:
        return
