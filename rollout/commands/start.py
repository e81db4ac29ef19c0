"""Starting a release: a Release, and a Rollout where the Deployment has none."""

import re
import secrets
from typing import Any

from rollout.commands.early import discovered, refuse_early, shares, warnings
from rollout.commands.request import Request, Started
from rollout.commands.rollouts import rollout_for, strategy_named
from rollout.kube.cluster import Cluster
from rollout.kube.errors import ClusterError
from rollout.resources.objects import name_of, uid_of
from rollout.resources.words import API_VERSION
from rollout.resources.writes import Create, Delete, Kind, Object


def start(cluster: Cluster, namespace: str, request: Request) -> Started:
    """Start a release.

    Raises CommandRefusedError for what stands against it, ClusterError for the cluster.
    """
    rollout, assumed = rollout_for(cluster, namespace, request)
    body = _release(rollout, request)
    found = refuse_early(cluster, namespace, rollout, body)
    if "uid" in rollout["metadata"]:
        made = cluster.apply(Create(Kind.RELEASE, namespace, body))
        return Started(made, (*shares(found), *warnings(found)))
    made = _create_both(cluster, namespace, rollout, body)
    return Started(made, (*assumed, *discovered(found), *shares(found), *warnings(found)))


def _create_both(
    cluster: Cluster, namespace: str, rollout: Object, release: dict[str, Any]
) -> Object:
    """Create a Rollout and its first Release, or neither."""
    made = cluster.apply(Create(Kind.ROLLOUT, namespace, rollout))
    try:
        return cluster.apply(Create(Kind.RELEASE, namespace, release))
    except ClusterError:
        cluster.apply(Delete(Kind.ROLLOUT, namespace, name_of(made), uid=uid_of(made)))
        raise


def _release(rollout: Object, request: Request) -> dict[str, Any]:
    spec: dict[str, Any] = {"rollout": name_of(rollout), "version": request.version}
    overrides: dict[str, Any] = {}
    if request.strategy is not None:
        wanted = strategy_named(request.strategy)
        if not set(wanted) & set(rollout["spec"]["strategy"]):
            overrides["strategy"] = wanted
    if request.policy is not None and "uid" in rollout["metadata"]:
        overrides["policy"] = request.policy
    said = {"overrides": overrides, "by": request.by, "reason": request.reason}
    spec |= {key: value for key, value in said.items() if value}
    name = release_name(name_of(rollout), request.version)
    return {
        "apiVersion": API_VERSION,
        "kind": "Release",
        "metadata": {"name": name, "labels": {"rollout.dev/rollout": name_of(rollout)[:63]}},
        "spec": spec,
    }


def release_name(rollout: str, version: str) -> str:
    """Give a new release a name that says what it is."""
    tag = re.sub(r"[^a-z0-9.]+", "-", version.lower().rpartition("/")[2]).strip("-.")
    return f"{rollout[:40]}-{tag[:40]}-{secrets.token_hex(3)[:5]}".replace(".-", "-")
