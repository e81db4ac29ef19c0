"""The door to the cluster itself: with the rights of the kubeconfig, and no server in between."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from rollout.cli.options import user
from rollout.commands.actions import Asked, ask, new_action
from rollout.commands.patience import PASSING, PATIENCE, Patience
from rollout.commands.readable import readable
from rollout.commands.request import Request, Started
from rollout.commands.retry import retry
from rollout.commands.spaces import refuse_missing
from rollout.commands.start import start
from rollout.kube.client import HttpCluster
from rollout.kube.cluster import Cluster
from rollout.kube.errors import ClusterError
from rollout.report.explain import explain
from rollout.report.pods import ready_by_side
from rollout.resources.action import ActionType
from rollout.resources.names import beside
from rollout.resources.release import Release
from rollout.resources.writes import Kind, Object

EVERY: Final = 0.5


class ClusterDoor:
    """Goes to the cluster."""

    def __init__(self, cluster: HttpCluster, patience: float = PATIENCE) -> None:
        self._cluster = cluster
        self._patience = patience
        self.namespace = cluster.namespace

    def rollouts(self, namespace: str | None) -> list[Object]:
        """Give the Rollouts of a namespace (None: of all)."""
        found = self._cluster.list(Kind.ROLLOUT, namespace).items
        if namespace is not None and not found:
            refuse_missing(self._cluster, namespace)
        return list(found)

    def releases(self, namespace: str, name: str | None) -> list[Release]:
        """Give the releases of a namespace, as `readable` does."""
        found = self._cluster.list(Kind.RELEASE, namespace).items
        if not found:
            refuse_missing(self._cluster, namespace)
        return readable(found, name)

    def start(self, namespace: str, request: Request) -> Started:
        """Start a release."""
        return start(self._cluster, namespace, replace(request, by=user(self._cluster)))

    def retry(self, namespace: str, release: str, reason: str) -> Started:
        """Try a release again, as a new one."""
        return retry(self._cluster, namespace, release, user(self._cluster), reason)

    def ask(self, namespace: str, release: str, type_: ActionType, reason: str) -> Asked:
        """Ask something of a release."""
        action = new_action(type_, user(self._cluster), reason, datetime.now(UTC))
        return ask(self._cluster, namespace, release, action)

    def explain(self, release: Release) -> list[str]:
        """Say why a release is where it is."""
        resolved = release.status.resolved
        return explain(release, resolved.strategy if resolved else None, datetime.now(UTC))

    def pods(self, release: Release) -> dict[str, str]:
        """Say how many pods of each side are ready."""
        return pods_of(self._cluster, release)

    def states(self, namespace: str, name: str, seconds: float) -> Iterator[Release]:
        """Give a release as it is, again and again."""
        end, patience = time.monotonic() + seconds, Patience(self._patience)
        while True:
            try:
                found = self._cluster.get(Kind.RELEASE, namespace, name)
            except PASSING as error:
                patience.bear(error)
            else:
                patience.heard()
                yield Release.model_validate(found)
            if time.monotonic() >= end:
                return
            time.sleep(EVERY)


def pods_of(cluster: Cluster, release: Release) -> dict[str, str]:
    """Say how many pods of each side are ready, of how many: from their Deployments."""
    resolved = release.status.resolved
    if resolved is None:
        return {}
    space, target = release.metadata.namespace, resolved.deployment
    sides = {"stable": target, "candidate": beside(target)}
    return ready_by_side({side: _deployment(cluster, space, n) for side, n in sides.items()})


def _deployment(cluster: Cluster, namespace: str, name: str) -> Object | None:
    try:
        return cluster.get(Kind.DEPLOYMENT, namespace, name)
    except ClusterError:
        return None
