"""Which pods of a service are the stable version's, and which the candidate's.

Told by who owns a pod, and for the pods of the target by its template: in Adopting, and with
`adoption: InPlace`, the target itself has pods of the candidate's version. A pod that neither
explains is `other`, and never passed off as one of the two.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from rollout.engine.facts import same
from rollout.resources.names import beside
from rollout.resources.objects import controller_uid, is_terminating, labels_of, name_of, uid_of
from rollout.resources.release import Release
from rollout.resources.words import CANDIDATE, POD_TEMPLATE_HASH, STABLE, TRACK
from rollout.resources.writes import Object
from rollout.translation.deployments import without_hash
from rollout.translation.ownership import Owner, made_by


class Side(StrEnum):
    """The side of a release that a pod is on."""

    STABLE = STABLE
    CANDIDATE = CANDIDATE
    OTHER = "other"


@dataclass(frozen=True)
class Family:
    """A Rollout, its Deployments with their ReplicaSets, and the release that tells them apart.

    `release` is the one that runs, else the last one.
    """

    rollout: Object
    target: Object
    release: Release | None = None
    beside: Object | None = None
    """The Deployment under the candidate's name, whoever made it."""
    replica_sets: tuple[Object, ...] = field(default=())

    @property
    def candidate(self) -> Object | None:
        """The candidate Deployment of the release; one of somebody else's does not count."""
        if self.beside is None or self.release is None:
            return None
        ours = made_by(self.beside, self.release) is Owner.THIS_RELEASE
        return self.beside if ours else None

    @property
    def active(self) -> Release | None:
        """The release, while it runs."""
        ended = self.release is None or self.release.status.phase.ended
        return None if ended else self.release

    @property
    def deployments(self) -> tuple[Object, ...]:
        """The target, and the candidate where there is one."""
        return (self.target, *((self.candidate,) if self.candidate is not None else ()))

    def owned(self) -> tuple[Object, ...]:
        """Give the ReplicaSets of both Deployments."""
        uids = {uid_of(deployment) for deployment in self.deployments}
        return tuple(one for one in self.replica_sets if controller_uid(one) in uids)


def selector_of(target: Object) -> str:
    """Word a Deployment's selector as a label selector: the candidate's pods match it too."""
    selector = target["spec"].get("selector") or {}
    words = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for need in selector.get("matchExpressions") or ():
        key, values = need["key"], ",".join(need.get("values") or ())
        match need["operator"]:
            case "In":
                words.append(f"{key} in ({values})")
            case "NotIn":
                words.append(f"{key} notin ({values})")
            case "Exists":
                words.append(str(key))
            case _:
                words.append(f"!{key}")
    return ",".join(words)


def side_of(pod: Object, family: Family) -> Side:
    """Tell the side of a pod."""
    owner = next((rs for rs in family.replica_sets if uid_of(rs) == controller_uid(pod)), None)
    if owner is None:
        return _left_behind(pod, family)
    deployment = controller_uid(owner)
    if family.candidate is not None and deployment == uid_of(family.candidate):
        return Side.CANDIDATE
    return _of_target(owner, family) if deployment == uid_of(family.target) else Side.OTHER


def _of_target(replica_set: Object, family: Family) -> Side:
    status = family.active.status if family.active is not None else None
    if status is None or status.resolved is None:
        return Side.STABLE
    hash_ = labels_of(replica_set).get(POD_TEMPLATE_HASH)
    template = without_hash(replica_set["spec"]["template"])
    if hash_ == status.hashes.adopted or same(template, status.resolved.template):
        return Side.CANDIDATE
    stable = hash_ == status.hashes.stable or same(template, status.resolved.stable_template)
    return Side.STABLE if stable else Side.OTHER


def _left_behind(pod: Object, family: Family) -> Side:
    """Tell the side of a pod whose ReplicaSet has gone, which takes its pods along."""
    if not is_terminating(pod) or family.release is None or controller_uid(pod) is None:
        return Side.OTHER
    hashes, hash_ = family.release.status.hashes, labels_of(pod).get(POD_TEMPLATE_HASH)
    if labels_of(pod).get(TRACK) == CANDIDATE and hash_ == hashes.candidate:
        return Side.CANDIDATE
    return Side.STABLE if hash_ == hashes.stable else Side.OTHER


def names(family: Family) -> tuple[str, ...]:
    """Name both Deployments, whether they are there or not."""
    target = name_of(family.target)
    return target, beside(target)
