"""Events of a service: those that Kubernetes still has, and those that come."""

import time
from collections.abc import Generator
from contextlib import closing
from typing import Final

from rollout.commands.ops.scaling import autoscalers_of
from rollout.commands.patience import PASSING, Patience
from rollout.kube.cluster import EventType, RemoteCluster
from rollout.kube.errors import Gone
from rollout.report.event_words import Concerned, EventRow, event_row, event_rows, key_of
from rollout.resources.objects import name_of
from rollout.resources.writes import Kind
from rollout.translation.sides import Family, names

WATCH_SECONDS: Final = 600
PAUSE_SECONDS: Final = 1.0


def past(cluster: RemoteCluster, namespace: str, family: Family) -> tuple[list[EventRow], str]:
    """Give the events there are, the newest last, and where to go on from."""
    found = cluster.list(Kind.EVENT, namespace)
    return event_rows(found.items, _concerned(cluster, namespace, family)), found.resource_version


def coming(
    cluster: RemoteCluster, namespace: str, family: Family, since: str
) -> Generator[EventRow]:
    """Give the events that come, without end. Raises ClusterError.

    A cluster that is away for a moment ends nothing: it is asked again, from the last event on.
    Whose events are wanted is asked again with each watch: a release that begins meanwhile has its
    Deployment's name in advance, but not its own.
    """
    patience = Patience()
    while True:
        try:
            since = since or cluster.list(Kind.EVENT, namespace).resource_version
            concerned = _concerned(cluster, namespace, family)
            watched = cluster.watch(Kind.EVENT, namespace, since, WATCH_SECONDS)
            patience.heard()
            with closing(watched):
                for event in watched:
                    since = key_of(event.object)[1] if event.object.get("metadata") else since
                    if event.type in {EventType.BOOKMARK, EventType.DELETED}:
                        continue
                    if _is_new_release(event.object, concerned):
                        concerned = _concerned(cluster, namespace, family)
                    if concerned.covers(event.object):
                        yield event_row(event.object)
        except Gone:
            since = ""
        except PASSING as error:
            patience.bear(error)
            time.sleep(PAUSE_SECONDS)


def _is_new_release(event: object, concerned: Concerned) -> bool:
    about = event.get("regarding") or {} if isinstance(event, dict) else {}
    known = concerned.named.get("Release", frozenset())
    return about.get("kind") == "Release" and about.get("name") not in known


def _concerned(cluster: RemoteCluster, namespace: str, family: Family) -> Concerned:
    """Say whose events are wanted."""
    rollout = name_of(family.rollout)
    releases = cluster.list(Kind.RELEASE, namespace).items
    named = {
        "Rollout": {rollout},
        "Release": {name_of(one) for one in releases if one["spec"]["rollout"] == rollout},
        "Deployment": set(names(family)),
        "HorizontalPodAutoscaler": set(map(name_of, autoscalers_of(cluster, namespace, family))),
    }
    return Concerned(
        {kind: frozenset(known) for kind, known in named.items()},
        names(family),
        frozenset(map(name_of, family.owned())),
    )
