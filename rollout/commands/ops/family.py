"""The service that somebody means, with what tells its two versions apart."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from rollout.commands.again import find_rollout
from rollout.commands.find import created
from rollout.commands.readable import of_rollout, readable
from rollout.commands.refusal import CommandRefusedError, NotThereError
from rollout.kube.cluster import Cluster
from rollout.kube.errors import NotFound
from rollout.resources.names import beside
from rollout.resources.objects import name_of, uid_of
from rollout.resources.release import Release
from rollout.resources.track import Track
from rollout.resources.writes import Kind, Object
from rollout.translation.deployments import alive, ready
from rollout.translation.sides import Family, Side, selector_of, side_of

FAMILY_SECONDS: Final = 10.0
"""How long what tells the two versions apart is good for while nothing new is seen."""


@dataclass(frozen=True)
class Member:
    """A pod of the service, and the side that it is on."""

    pod: Object
    side: Side

    @property
    def name(self) -> str:
        """The pod's name."""
        return name_of(self.pod)

    @property
    def uid(self) -> str:
        """The pod's uid."""
        return uid_of(self.pod)

    @property
    def serves(self) -> bool:
        """Whether it is ready, and not on its way out."""
        return alive(self.pod) and ready(self.pod)


def find_family(cluster: Cluster, namespace: str, name: str | None) -> Family:
    """Find a Rollout by its name or its Deployment's, and what belongs to it.

    Raises CommandRefusedError when it is not clear which is meant, or its Deployment is missing;
    ClusterError for the cluster.
    """
    rollout = find_rollout(cluster, namespace, name)
    target = str(rollout["spec"]["target"]["deployment"])
    try:
        found = cluster.get(Kind.DEPLOYMENT, namespace, target)
    except NotFound as error:
        raise NotThereError(
            f"Rollout {name_of(rollout)} ships Deployment {target}, which is not in namespace "
            f"{namespace}: create it, or correct spec.target.deployment"
        ) from error
    return Family(
        rollout,
        found,
        _release(cluster, namespace, name_of(rollout)),
        _beside(cluster, namespace, target),
        cluster.list(Kind.REPLICA_SET, namespace, selector_of(found)).items,
    )


def members(cluster: Cluster, namespace: str, family: Family, track: Track) -> list[Member]:
    """Give the pods of a service that are meant, those of the stable version first."""
    return _told(_pods(cluster, namespace, family), family, track)


def _pods(cluster: Cluster, namespace: str, family: Family) -> tuple[Object, ...]:
    return cluster.list(Kind.POD, namespace, selector_of(family.target)).items


def _told(found: Iterable[Object], family: Family, track: Track) -> list[Member]:
    all_ = (Member(pod, side_of(pod, family)) for pod in found)
    order = list(Side)
    chosen = (one for one in all_ if track is Track.ALL or one.side.value == track.value)
    return sorted(chosen, key=lambda member: (order.index(member.side), member.name))


class Looks:
    """Looks at the pods of a service again and again; asks for the rest when it may have changed.

    Pods are one call. Whose they are is asked anew when one comes that was not there before.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        rollout: str | None,
        track: Track = Track.ALL,
        pod: str | None = None,
    ) -> None:
        """Find the service. Raises as `find_family` does."""
        self.namespace = namespace
        self._cluster = cluster
        self._track = track
        self._pod = pod
        self._family = find_family(cluster, namespace, rollout)
        self._known: set[str] = set()
        self._asked = time.monotonic()

    @property
    def family(self) -> Family:
        """The service, as it was when it was last asked for."""
        return self._family

    def check(self) -> None:
        """Pass when the pod that was named is there. Raises NotThereError, ClusterError."""
        if self._pod is not None:
            found = _pods(self._cluster, self.namespace, self._family)
            _named(_told(found, self._family, self._track), self._pod)

    def members(self) -> list[Member]:
        """Give the pods that are meant. Raises ClusterError."""
        found = _pods(self._cluster, self.namespace, self._family)
        uids = {uid_of(pod) for pod in found}
        if not uids <= self._known or time.monotonic() - self._asked > FAMILY_SECONDS:
            name = name_of(self._family.rollout)
            self._family = find_family(self._cluster, self.namespace, name)
            self._asked = time.monotonic()
        self._known = uids
        told = _told(found, self._family, self._track)
        return [one for one in told if self._pod in {None, one.name}]


def version_container(family: Family) -> str:
    """Name the container whose image is the version; empty where that was never said."""
    resolved = family.release.status.resolved if family.release is not None else None
    named = family.rollout["spec"]["target"].get("container")
    return str(named or (resolved.container if resolved is not None else ""))


def pick(found: Iterable[Member], track: Track, pod: str | None, before: str = "") -> Member:
    """Pick the ready pod that is meant: that named `pod`, else `before` as long as it serves.

    Raises CommandRefusedError when there is none, and says what there is.
    """
    known = list(found)
    if pod is not None:
        return _named(known, pod)
    serving = [member for member in known if member.serves]
    for member in serving:
        if member.name == before:
            return member
    if serving:
        return serving[0]
    of = "" if track is Track.ALL else f"{track} "
    there = ", ".join(member.name for member in known) or "none at all"
    raise NotThereError(
        f"no {of}pod is ready (there are: {there}): `rollout ops pods` says why, and --track "
        "chooses another side"
    )


def _named(known: list[Member], pod: str) -> Member:
    for member in known:
        if member.name == pod:
            return member
    there = ", ".join(member.name for member in known) or "none"
    raise NotThereError(f"there is no pod {pod} of this service (there are: {there})")


def container_of(pod: Object, asked: str | None, version: str) -> str:
    """Name the container that is meant: the one asked for, the version's, or the first.

    Raises CommandRefusedError naming the containers for one that the pod has not.
    """
    names = [str(c["name"]) for c in pod["spec"].get("containers") or ()]
    every = [*names, *(str(c["name"]) for c in pod["spec"].get("initContainers") or ())]
    if asked is not None and asked not in every:
        raise CommandRefusedError(
            f"--container {asked}: pod {name_of(pod)} has no such container (it has: "
            f"{', '.join(every)})"
        )
    return asked or (version if version in names else names[0])


def _release(cluster: Cluster, namespace: str, rollout: str) -> Release | None:
    """Find the release that runs, else the last one."""
    found = of_rollout(cluster.list(Kind.RELEASE, namespace).items, rollout)
    mine = readable(found, rollout)
    active = [one for one in mine if not one.status.phase.ended and one.status.resolved]
    return max(active or mine, key=created, default=None)


def _beside(cluster: Cluster, namespace: str, target: str) -> Object | None:
    try:
        return cluster.get(Kind.DEPLOYMENT, namespace, beside(target))
    except NotFound:
        return None
