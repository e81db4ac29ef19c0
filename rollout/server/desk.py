"""What every route works with, and the questions that every route asks first."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Path
from starlette.requests import Request

from rollout.kube.cluster import Cluster
from rollout.kube.reviews import Access
from rollout.resources.writes import Kind, Object
from rollout.server.auth import Caller, Gate, caller
from rollout.server.counts import Counts
from rollout.server.feed import Feed
from rollout.server.parts import Parts
from rollout.server.problems import Problem
from rollout.server.settings import Limits

STARTING_SECONDS = 1


@dataclass(frozen=True)
class Desk:
    """The daemon's parts, with the gate before them."""

    parts: Parts
    gate: Gate
    feed: Feed
    counts: Counts
    limits: Limits

    @property
    def cluster(self) -> Cluster:
        """The cluster, for changes."""
        return self.parts.cluster.within(self.limits.call)

    def require(self, who: Caller, access: Access) -> None:
        """Pass when somebody may do this, here. Raises Problem, ClusterError."""
        self.gate.require(who.person, access)
        mine = self.parts.namespace
        if mine is not None and access.namespace not in {"", mine}:
            raise Problem(
                "not-found", f"this controller serves namespace {mine} only, not {access.namespace}"
            )

    def may_read(self, who: Caller, access: Access) -> None:
        """Pass when somebody may read this, and there is something to read yet."""
        self.require(who, access)
        if not self.parts.view.synced:
            headers = {"Retry-After": str(STARTING_SECONDS)}
            raise Problem("unavailable", "the caches are being filled: ask again", headers=headers)

    def find(self, who: Caller, kind: Kind, namespace: str, name: str, verb: str = "get") -> Object:
        """Give an object that somebody may read. Raises Problem, ClusterError."""
        self.may_read(who, Access(verb, namespace, kind.value.plural, name))
        found = self.parts.view.get(kind, namespace, name)
        if found is None:
            what = kind.value.kind.lower() if kind is Kind.RELEASE else kind.value.kind
            raise Problem("not-found", f"there is no {what} {name} in namespace {namespace}")
        return found


async def desk(request: Request) -> Desk:
    """Give the desk of the app that a request came to."""
    found: Desk = request.app.state.desk
    return found


NAME = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
AtDesk = Annotated[Desk, Depends(desk)]
Who = Annotated[Caller, Depends(caller)]
InNamespace = Annotated[
    str,
    Path(
        max_length=63,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        description="The namespace.",
        examples=["default"],
    ),
]
ReleaseName = Annotated[
    str,
    Path(
        max_length=253,
        pattern=NAME,
        description="Name of the release.",
        examples=["checkout-v1.2.4-1f0c9"],
    ),
]
RolloutName = Annotated[
    str,
    Path(max_length=253, pattern=NAME, description="Name of the Rollout.", examples=["checkout"]),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="A text of your own, new for each request. Sent again with the same key and "
        "body, the request gets the same answer and nothing is done twice.",
    ),
]
