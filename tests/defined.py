"""Our kinds on an API server, to which others may be bringing them at the same moment."""

import time
from contextlib import suppress
from functools import cache
from typing import Final

from rollout.kube.cluster import Cluster
from rollout.kube.errors import AlreadyExists, NotFound, TooManyRequests
from rollout.resources.crd import definitions
from rollout.resources.objects import name_of
from rollout.resources.writes import Create, Kind, Object
from rollout.simulate.cluster import OUR_KINDS

SECONDS: Final = 20.0


def define(cluster: Cluster) -> None:
    """Bring those of our kinds that are missing, and wait until all are served.

    To refuse a definition that is there costs a real API server as much as to take it.
    """
    if _are_served(cluster):
        return
    there = set(map(name_of, cluster.list(Kind.CUSTOM_RESOURCE_DEFINITION).items))
    for body in _definitions():
        if name_of(body) not in there:
            with suppress(AlreadyExists):
                cluster.apply(Create(Kind.CUSTOM_RESOURCE_DEFINITION, "", body))
    deadline = time.monotonic() + SECONDS
    while not _are_served(cluster):
        assert time.monotonic() < deadline, f"our kinds were not served in {SECONDS:g} s"
        time.sleep(0.05)


@cache
def _definitions() -> tuple[Object, ...]:
    return tuple(definitions())


def _are_served(cluster: Cluster) -> bool:
    """Of a kind that has just been defined, the storage is not ready for a moment."""
    try:
        for kind in OUR_KINDS:
            cluster.list(kind, "default")
    except (NotFound, TooManyRequests):
        return False
    return True
