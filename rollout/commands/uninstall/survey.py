"""What an uninstallation finds, before anything is touched."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rollout.commands.doctor.finding import Level
from rollout.commands.doctor.installation import controller
from rollout.kube.cluster import Cluster
from rollout.kube.errors import NotFound
from rollout.resources.objects import annotations_of, labels_of, name_of, namespace_of, uid_of
from rollout.resources.release import Phase
from rollout.resources.words import RESTORE, RESTORE_FINALIZER
from rollout.resources.writes import BY_KIND_NAME, Delete, Kind, Object
from rollout.translation.targets import is_paused

CONTROLLER: Final = "rollout-controller"
"""Names the Deployment, its account, its rights in namespaces and its Lease."""
OURS: Final = {"app.kubernetes.io/part-of": "rollout"}
OUR_NAMESPACE: Final = "rollout-system"
"""The only namespace that is ever deleted. What is in another one cannot all be known: claims of
volumes, objects of kinds that others brought. An installation labels it ours, whoever made it."""
NOT_OTHERS: Final = frozenset({"kube-root-ca.crt", "default"})
"""What Kubernetes itself puts into every namespace."""


@dataclass(frozen=True)
class Found:
    """An object of the installation that is there."""

    kind: Kind
    namespace: str
    name: str
    uid: str

    @classmethod
    def of(cls, kind: Kind, body: Object) -> "Found":
        """Name an object that was read."""
        return cls(kind, namespace_of(body), name_of(body), uid_of(body))

    @property
    def delete(self) -> Delete:
        """Delete it, if it still is the one that was found; a Deployment after its pods."""
        order = "Foreground" if self.kind is Kind.DEPLOYMENT else "Background"
        return Delete(self.kind, self.namespace, self.name, uid=self.uid, propagation=order)

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind.value.kind} {place}{self.name}"


@dataclass(frozen=True)
class Survey:
    """What is there. `home` is the controller's namespace."""

    home: str
    rollouts: tuple[Object, ...]
    releases: tuple[Object, ...]
    policies: tuple[Object, ...]
    paused: tuple[str, ...]
    """Deployments that stay paused, because an edit waits on them: namespace/name."""
    installed: tuple[Found, ...]
    """What is ours, in the order in which it was installed."""
    strangers: tuple[str, ...]
    """What has the name of something of ours, and is none."""
    controllers: tuple[str, ...]
    """Other namespaces in which a controller is installed."""
    silence: str
    """Why nobody would take finalizers off; empty while a controller leads."""
    kept: str = ""
    """The controller's namespace, where it is not ours to delete."""

    @property
    def running(self) -> tuple[Object, ...]:
        """The releases that have not ended."""
        return tuple(filter(is_running, self.releases))

    @property
    def held(self) -> tuple[Object, ...]:
        """What only a controller can let go."""
        return tuple(filter(_is_held, (*self.rollouts, *self.releases)))

    def of_kind(self, *kinds: Kind) -> tuple[Found, ...]:
        """Give the installed objects of some kinds."""
        return tuple(one for one in self.installed if one.kind in kinds)


def survey(cluster: Cluster, home: str, wanted: Iterable[Object], now: datetime) -> Survey:
    """Look at everything; `wanted` is what an installation creates, with all that one may add.

    Raises ClusterError for the cluster.
    """
    known, strangers = _installed(cluster, wanted)
    ours = [one for one in known if not _is_kept(one)]
    deployments = listed(cluster, Kind.DEPLOYMENT)
    rollouts, releases = listed(cluster, Kind.ROLLOUT), listed(cluster, Kind.RELEASE)
    return Survey(
        home,
        rollouts,
        releases,
        listed(cluster, Kind.ROLLOUT_POLICY),
        tuple(_stay_paused(deployments, rollouts, releases)),
        (*ours, *_bound_elsewhere(cluster, home), *_lease(cluster, home)),
        tuple(map(str, strangers)),
        tuple(namespace_of(one) for one in deployments if _is_another(one, home)),
        _silence(cluster, home, now),
        next((one.name for one in known if _is_kept(one)), ""),
    )


def listed(cluster: Cluster, kind: Kind) -> tuple[Object, ...]:
    """List a kind in all namespaces; nothing when the kind itself is not there."""
    try:
        return cluster.list(kind).items
    except NotFound:
        return ()


def is_running(release: Object) -> bool:
    """Whether a release has not ended."""
    return not Phase((release.get("status") or {}).get("phase") or Phase.PENDING).ended


def place_of(body: Object) -> str:
    """Name an object by its namespace and its name."""
    return f"{namespace_of(body)}/{name_of(body)}"


def _is_held(body: Object) -> bool:
    return RESTORE_FINALIZER in (body["metadata"].get("finalizers") or [])


def _installed(cluster: Cluster, wanted: Iterable[Object]) -> tuple[list[Found], list[Found]]:
    """Find what an installation creates: what is ours, and what only has the name."""
    ours, strangers = list[Found](), list[Found]()
    for body in wanted:
        kind = BY_KIND_NAME[body["kind"]]
        try:
            there = cluster.get(kind, namespace_of(body), name_of(body))
        except NotFound:
            continue
        known = kind is Kind.CUSTOM_RESOURCE_DEFINITION or _is_ours(there)
        (ours if known else strangers).append(Found.of(kind, there))
    return ours, strangers


def _is_kept(one: Found) -> bool:
    return one.kind is Kind.NAMESPACE and one.name != OUR_NAMESPACE


def _is_ours(body: Object) -> bool:
    return OURS.items() <= labels_of(body).items()


def _bound_elsewhere(cluster: Cluster, home: str) -> list[Found]:
    """Find the rights in namespaces that are watched: they are in those namespaces."""
    return [
        Found.of(kind, body)
        for kind in (Kind.ROLE, Kind.ROLE_BINDING)
        for body in listed(cluster, kind)
        if name_of(body) == CONTROLLER and _is_ours(body) and namespace_of(body) != home
    ]


def _lease(cluster: Cluster, home: str) -> list[Found]:
    try:
        return [Found.of(Kind.LEASE, cluster.get(Kind.LEASE, home, CONTROLLER))]
    except NotFound:
        return []


def _is_another(deployment: Object, home: str) -> bool:
    ours = _is_ours(deployment) and name_of(deployment) == CONTROLLER
    return ours and namespace_of(deployment) != home


def _silence(cluster: Cluster, home: str, now: datetime) -> str:
    found = controller(cluster, [home], CONTROLLER, now)
    return next((one.message for one in found if one.level is not Level.OK), "")


def _stay_paused(
    deployments: Iterable[Object], rollouts: Iterable[Object], releases: Iterable[Object]
) -> Iterable[str]:
    """Name the Deployments that nobody will unpause: an edit that was not released waits there."""
    busy = {(namespace_of(one), one["spec"]["rollout"]) for one in releases if is_running(one)}
    given_back = {
        (namespace_of(one), one["spec"]["target"]["deployment"])
        for one in rollouts
        if (namespace_of(one), name_of(one)) in busy or _gives_back(one)
    }
    for one in deployments:
        waits = is_paused(one) and RESTORE in annotations_of(one)
        if waits and (namespace_of(one), name_of(one)) not in given_back:
            yield place_of(one)


def _gives_back(rollout: Object) -> bool:
    """Whether a Rollout holds its Deployment with the template that serves."""
    status = rollout.get("status") or {}
    return bool(status.get("held")) and not status.get("rejected")


def still_paused(cluster: Cluster) -> tuple[str, ...]:
    """Name the Deployments that are paused with a note of ours, when nothing is held any more."""
    found = listed(cluster, Kind.DEPLOYMENT)
    return tuple(_stay_paused(found, (), ()))


def others_in(cluster: Cluster, namespace: str) -> list[str]:
    """Name what is in a namespace beside what Kubernetes puts there and an installation leaves."""
    kinds = (Kind.DEPLOYMENT, Kind.POD, Kind.SERVICE, Kind.SECRET, Kind.CONFIG_MAP)
    return [
        str(Found.of(kind, body))
        for kind in kinds
        for body in cluster.list(kind, namespace).items
        if name_of(body) not in NOT_OTHERS and not _is_ours(body)
    ]
