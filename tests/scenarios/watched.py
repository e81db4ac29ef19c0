"""What a watch tells of the objects of a stage: to ask again and again costs a tenth of a core."""

import threading
import time
from functools import partial
from typing import Generic, Self, TypeVar

from pydantic import BaseModel

from rollout.kube.cache import Change
from rollout.kube.client import HttpCluster
from rollout.kube.reflector import Reflector
from rollout.resources.writes import Kind, Object

M = TypeVar("M", bound=BaseModel)
GLANCE_SECONDS = 0.1
"""How long a wait for news lasts at most: what else is waited for has no watch."""

CATCH_UP_SECONDS = 10.0


class Watched(Generic[M]):
    """The objects of one kind, as they are now and as those that are gone were last."""

    def __init__(
        self,
        cluster: HttpCluster,
        kind: Kind,
        namespace: str,
        model: type[M],
        news: threading.Event,
    ) -> None:
        self._model = model
        self._news = news
        self._now: dict[str, Object] = {}
        self._last: dict[str, Object] = {}
        self._parsed: dict[str, tuple[str, M]] = {}
        self._reflector = Reflector(cluster, kind, namespace, self._on_change)
        self._list = partial(cluster.list, kind, namespace)

    def __enter__(self) -> Self:
        self._reflector.start()
        assert self._reflector.synced.wait(10.0)
        return self

    def __exit__(self, *_: object) -> None:
        self._reflector.stop()

    def now(self) -> list[M]:
        """Give those that are there, the oldest first."""
        return [self._parse(body) for body in sorted(self._now.values(), key=age)]

    def last(self) -> list[M]:
        """Give all that there ever were, as they were last, the oldest first."""
        return [self._parse(body) for body in sorted(self._last.values(), key=age)]

    def catch_up(self) -> None:
        """Wait until what the server has now is known here: a watch is a moment late."""
        listed = {body["metadata"]["uid"]: version(body) for body in self._list().items}
        deadline = time.monotonic() + CATCH_UP_SECONDS
        while any(
            uid not in self._last or version(self._last[uid]) < at for uid, at in listed.items()
        ):
            assert time.monotonic() < deadline, f"the watch never told of {listed}"
            time.sleep(0.01)

    def _parse(self, body: Object) -> M:
        uid, version = body["metadata"]["uid"], body["metadata"]["resourceVersion"]
        if self._parsed.get(uid, ("",))[0] != version:
            self._parsed[uid] = (version, self._model.model_validate(body))
        return self._parsed[uid][1]

    def _on_change(self, change: Change) -> None:
        body = change.new or change.old
        assert body is not None
        uid = body["metadata"]["uid"]
        self._last = {**self._last, uid: body}
        self._now = {**self._now, uid: body} if change.new else without(self._now, uid)
        self._news.set()


def version(body: Object) -> int:
    return int(body["metadata"]["resourceVersion"])


def without(found: dict[str, Object], uid: str) -> dict[str, Object]:
    return {other: body for other, body in found.items() if other != uid}


def age(body: Object) -> tuple[str, str]:
    """Give what sorts objects by the time at which they were made."""
    return str(body["metadata"]["creationTimestamp"]), body["metadata"]["name"]
