"""Live changes of releases, as server-sent events.

A stream begins with the present state of everything that was asked for, then `synced`, then each
change as it comes: so it does not matter what a reader missed while it was away, and there is
nothing to keep for it. Every event carries a whole release.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Final

from anyio import to_thread
from fastapi import APIRouter, Depends, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent

from rollout.kube.cache import Change, newer
from rollout.kube.errors import ClusterError
from rollout.kube.reviews import Access
from rollout.resources.writes import Kind, Object
from rollout.server.answers import READ, shows
from rollout.server.desk import AtDesk, Desk, InNamespace, ReleaseName, Who
from rollout.server.examples import STREAM
from rollout.server.feed import End, Reader
from rollout.server.problems import Problem
from rollout.server.reads import OfRollout
from rollout.server.shown import shown

router = APIRouter(tags=["follow"], responses=READ)
FOLLOWS: Final = shows(STREAM, media="text/event-stream")
BUSY_SECONDS: Final = 5
LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        max_length=64,
        description="The id of the last event that was read, as browsers send it. The stream "
        "begins with the present state whatever it says.",
    ),
]
ENDS: Final = {
    End.STOPPING: "the server is being stopped: connect again, another replica may answer",
    End.BEHIND: "this reader fell behind: connect again, the stream begins with the present state",
}


class Following:
    """One stream: what it shows, and whether its reader may still see it."""

    def __init__(
        self, at: Desk, who: Who, namespace: str, *, name: str = "", of: str | None = None
    ) -> None:
        self._at = at
        self._who = who
        self._namespace = namespace
        self._name = name
        self._of = of
        self._sent: dict[str, str] = {}

    def admit(self) -> None:
        """Pass when the reader may follow this. Raises Problem, ClusterError."""
        access = Access("watch", self._namespace, name=self._name)
        if self._name:
            self._at.find(self._who, Kind.RELEASE, self._namespace, self._name, "watch")
        else:
            self._at.may_read(self._who, access)
        if len(self._at.feed) >= self._at.limits.streams:
            raise Problem(
                "too-many-requests",
                f"{self._at.limits.streams} streams are open already",
                headers={"Retry-After": str(BUSY_SECONDS)},
            )

    def check(self) -> None:
        """Ask again whether the reader may still follow. Raises Problem, ClusterError."""
        person = self._at.gate.who(self._who.token)
        self._at.gate.require(person, Access("watch", self._namespace, name=self._name))

    def wants(self, change: Change) -> bool:
        """Whether a change is of what this stream shows."""
        obj = change.new or change.old
        return obj is not None and self._shows(obj)

    def present(self) -> list[ServerSentEvent]:
        """Give the state as it is, and say that it is whole."""
        found = self._at.parts.view.list(Kind.RELEASE, self._namespace or None)
        states = [self._state(one) for one in found if self._shows(one)]
        return [*states, ServerSentEvent(event="synced", data={"releases": len(states)})]

    def tell(self, change: Change) -> list[ServerSentEvent]:
        """Word a change; nothing for one that the state had in it already."""
        if change.new is None:
            gone = {"namespace": change.namespace, "name": change.name}
            self._sent.pop(f"{change.namespace}/{change.name}", None)
            return [ServerSentEvent(event="deleted", data=gone)]
        known = self._sent.get(f"{change.namespace}/{change.name}", "")
        version = str(change.new["metadata"]["resourceVersion"])
        if version == known or newer(known, version):
            return []
        return [self._state(change.new)]

    def _state(self, release: Object) -> ServerSentEvent:
        metadata = release["metadata"]
        version = str(metadata["resourceVersion"])
        self._sent[f"{metadata['namespace']}/{metadata['name']}"] = version
        return ServerSentEvent(event="release", raw_data=json.dumps(shown(release)), id=version)

    def _shows(self, release: Object) -> bool:
        metadata = release["metadata"]
        return (
            self._namespace in {"", metadata["namespace"]}
            and self._name in {"", metadata["name"]}
            and self._of in {None, release["spec"]["rollout"]}
        )

    async def events(self, reader: Reader) -> AsyncIterator[ServerSentEvent]:
        """Give all events until the reader falls behind, or may no longer read."""
        for event in self.present():
            yield event
        timer = Timer(self._at.limits.recheck)
        while True:
            if timer.due() and (lost := await self._lost()) is not None:
                yield _end(lost.kind, str(lost))
                return
            match await reader.next(min(self._at.limits.heartbeat, timer.left())):
                case None:
                    yield ServerSentEvent(comment="heartbeat")
                case Change() as change:
                    for event in self.tell(change):
                        yield event
                case End() as end:
                    if end is End.BEHIND:
                        self._at.counts.cut.inc()
                    yield _end(end.name.lower(), ENDS[end])
                    return

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[AsyncIterator[ServerSentEvent]]:
        """Open the stream for somebody who may read it; it is closed however the answer ends.

        What it holds is held here and not in the generator of events, which nobody closes when
        a client goes. Raises Problem, ClusterError.
        """
        await to_thread.run_sync(self.admit)
        at = self._at
        with at.counts.streams.track_inprogress(), at.feed.reader(self.wants) as reader:
            yield self.events(reader)

    async def _lost(self) -> Problem | None:
        """Say why the reader may read no more. A cluster that is away changes nothing."""
        try:
            await to_thread.run_sync(self.check)
        except Problem as problem:
            return problem
        except ClusterError:
            return None
        return None


def _end(reason: str, detail: str) -> ServerSentEvent:
    return ServerSentEvent(event="end", data={"reason": reason, "detail": detail})


class Timer:
    """Says when a while has gone by, again and again."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._clock: Callable[[], float] = asyncio.get_running_loop().time
        self._next = self._clock() + seconds

    def left(self) -> float:
        """Seconds until it is due."""
        return max(self._next - self._clock(), 0.0)

    def due(self) -> bool:
        """Whether it is due; begins anew then."""
        if self._clock() < self._next:
            return False
        self._next = self._clock() + self._seconds
        return True


Events = AsyncIterator[ServerSentEvent]


async def _everywhere(at: AtDesk, who: Who, of: OfRollout = None) -> AsyncIterator[Events]:
    async with Following(at, who, "", of=of).opened() as events:
        yield events


async def _in_namespace(
    at: AtDesk, who: Who, namespace: InNamespace, of: OfRollout = None
) -> AsyncIterator[Events]:
    async with Following(at, who, namespace, of=of).opened() as events:
        yield events


async def _one(
    at: AtDesk, who: Who, namespace: InNamespace, name: ReleaseName
) -> AsyncIterator[Events]:
    async with Following(at, who, namespace, name=name).opened() as events:
        yield events


@router.get("/releases/stream", response_class=EventSourceResponse, responses=FOLLOWS)
async def follow_everywhere(
    events: Annotated[Events, Depends(_everywhere)],
    last: LastEventId = None,  # noqa: ARG001 - named for the document
) -> Events:
    """Follow the releases of all namespaces (verb `watch` on releases, cluster-wide)."""
    async for event in events:
        yield event


@router.get(
    "/namespaces/{namespace}/releases/stream", response_class=EventSourceResponse, responses=FOLLOWS
)
async def follow(
    events: Annotated[Events, Depends(_in_namespace)],
    last: LastEventId = None,  # noqa: ARG001 - named for the document
) -> Events:
    """Follow the releases of a namespace (verb `watch` on releases)."""
    async for event in events:
        yield event


@router.get(
    "/namespaces/{namespace}/releases/{name}/stream",
    response_class=EventSourceResponse,
    responses=FOLLOWS,
)
async def follow_one(
    events: Annotated[Events, Depends(_one)],
    last: LastEventId = None,  # noqa: ARG001 - named for the document
) -> Events:
    """Follow one release (verb `watch` on releases)."""
    async for event in events:
        yield event
