"""How many pods are ready, in words."""

from collections.abc import Mapping

from rollout.resources.writes import Object


def ready_by_side(deployments: Mapping[str, Object | None]) -> dict[str, str]:
    """Say of each side how many of its pods are ready; a side without a Deployment is left out."""
    return {side: ready(found) for side, found in deployments.items() if found is not None}


def ready(deployment: Object) -> str:
    """Say how many pods of a Deployment are ready, of how many."""
    wanted = deployment["spec"].get("replicas", 1)
    count = (deployment.get("status") or {}).get("readyReplicas", 0)
    return f"{count} of {wanted} ready"
