"""Who is it, and may they? The cluster's own answers: reviews, which are made and never stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rollout.kube.cluster import Cluster
from rollout.kube.errors import Unauthorized
from rollout.resources.words import GROUP
from rollout.resources.writes import Create, Kind


class UnknownToken(Unauthorized):
    """The token of somebody else is nobody's; our own credentials are fine."""


@dataclass(frozen=True)
class Person:
    """Somebody whom the cluster knows."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Access:
    """What somebody wants to do: a verb on a plural of our group, in a namespace.

    A part of a resource is written as in a Role: `releases/status`.
    """

    verb: str
    namespace: str
    resource: str = "releases"
    name: str = ""
    group: str = GROUP


def who_is(cluster: Cluster, token: str, audience: str = "") -> Person:
    """Ask who is behind a bearer token, which must be meant for an audience ("": the cluster's).

    Raises UnknownToken for a token that the cluster does not know, ClusterError for the cluster.
    """
    if not token:
        raise UnknownToken("there is no token")  # the cluster calls that a bad request: 400
    spec = {"token": token, **({"audiences": [audience]} if audience else {})}
    body = _review("authentication.k8s.io/v1", "TokenReview", spec)
    status = cluster.apply(Create(Kind.TOKEN_REVIEW, "", body)).get("status") or {}
    user = status.get("user") or {}
    if not status.get("authenticated") or not user.get("username"):
        raise UnknownToken(status.get("error") or "the cluster does not know this token")
    if audience and audience not in (status.get("audiences") or ()):
        # a cluster that does not know of audiences vouches for tokens of its own only
        raise UnknownToken(f"the token is not meant for the audience {audience}")
    return _person(user)


def who_am_i(cluster: Cluster) -> Person:
    """Ask who we ourselves are to the cluster, as `kubectl auth whoami` does.

    Raises NotFound (`kind_is_missing`) where the cluster does not tell, else ClusterError.
    """
    body = _review("authentication.k8s.io/v1", Kind.SELF_SUBJECT_REVIEW.value.kind, {})
    status = cluster.apply(Create(Kind.SELF_SUBJECT_REVIEW, "", body)).get("status") or {}
    return _person(status["userInfo"])


def _person(user: Mapping[str, Any]) -> Person:
    return Person(
        name=str(user["username"]),
        groups=tuple(user.get("groups") or ()),
        uid=str(user.get("uid", "")),
        extra=user.get("extra") or {},
    )


def may(cluster: Cluster, person: Person, access: Access) -> bool:
    """Ask whether somebody may do something. Raises ClusterError for the cluster."""
    spec = {
        "user": person.name,
        "groups": list(person.groups),
        "uid": person.uid,
        "extra": dict(person.extra),
        "resourceAttributes": _attributes(access),
    }
    return _allowed(cluster, Kind.SUBJECT_ACCESS_REVIEW, spec)


def may_i(cluster: Cluster, access: Access) -> bool:
    """Ask whether we ourselves may do something. Raises ClusterError for the cluster."""
    spec = {"resourceAttributes": _attributes(access)}
    return _allowed(cluster, Kind.SELF_SUBJECT_ACCESS_REVIEW, spec)


def _allowed(cluster: Cluster, kind: Kind, spec: Mapping[str, Any]) -> bool:
    body = _review("authorization.k8s.io/v1", kind.value.kind, spec)
    status = cluster.apply(Create(kind, "", body)).get("status") or {}
    return bool(status.get("allowed", False))


def _attributes(access: Access) -> dict[str, str]:
    resource, _, part = access.resource.partition("/")
    said = {
        "verb": access.verb,
        "namespace": access.namespace,
        "group": access.group,
        "resource": resource,
        "subresource": part,
        "name": access.name,
    }
    return {key: value for key, value in said.items() if value}


def _review(api_version: str, kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {}, "spec": dict(spec)}
