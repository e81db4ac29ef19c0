"""Before the first plan of a leader: what an earlier leader may still be sending is shut out.

A release that this leader has seen begin needs no stamp: its first write was made by us, on the
version that we had seen, and nobody could have written before it. So a release that begins and
ends under one leader costs no request more.
"""

import threading
from collections.abc import Callable, Collection

import structlog

from rollout.controller.execute import CONTESTED
from rollout.controller.writer import Writer
from rollout.kube.errors import Refused, TooManyRequests
from rollout.resources.objects import uid_of
from rollout.resources.writes import Object, Patch
from rollout.translation.epochs import stamps
from rollout.translation.objects import Objects

log = structlog.get_logger(__name__)


class Fence:
    """Stamps the objects of each release once. Safe to use from many threads.

    `epoch` names this time of leading as no other.
    """

    def __init__(self, writer: Writer, epoch: Callable[[], str]) -> None:
        self._writer = writer
        self._epoch = epoch
        self._lock = threading.Lock()
        self._fenced: frozenset[str] = frozenset()

    def around(self, objects: Objects) -> Objects:
        """Stamp what has yet to be stamped; gives the objects with the answers in them.

        Raises ClusterError when that cannot be told, or somebody was faster, and LeaseLostError:
        then nothing may be planned yet.
        """
        uid = uid_of(objects.release)
        if uid in self._fenced or is_untouched(objects.release):
            return objects
        whole = True
        for patch in stamps(objects, self._epoch()):
            answer = self._stamped(patch)
            whole = whole and answer is not None
            objects = objects if answer is None else objects.replace(answer)
        if whole:
            self._add(uid)
        return objects

    def _stamped(self, patch: Patch) -> Object | None:
        """Write one stamp; None when the server will not have it.

        That must not keep a release from going back, and shuts out an earlier leader as well.
        """
        try:
            return self._writer.apply(patch)
        except (*CONTESTED, TooManyRequests):
            raise
        except Refused as error:
            log.warning("a stamp was refused", kind=patch.kind.value.kind, why=str(error))
            return None

    def began(self, before: Object, after: Object) -> None:
        """Take note of a release that got its first write from us."""
        if is_untouched(before) and _version(before) != _version(after):
            self._add(uid_of(after))

    def keep(self, uids: Collection[str]) -> None:
        """Forget all releases but these."""
        with self._lock:
            self._fenced &= frozenset(uids)

    def _add(self, uid: str) -> None:
        with self._lock:
            self._fenced |= {uid}


def is_untouched(release: Object) -> bool:
    """Whether no leader has written to a release: the first thing that one writes is its status."""
    return not release.get("status")


def _version(obj: Object) -> str:
    return str(obj["metadata"]["resourceVersion"])
