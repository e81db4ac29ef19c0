"""Applies the faults that a test has set to requests as they pass."""

import asyncio
from dataclasses import replace

from rollout.kube.errors import refusal
from rollout.sandbox.apiserver.faults import HEALTHY, Faults

REASONS = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


class Broken(Exception):  # noqa: N818 - a state of the connection, not an error of ours
    """The connection is to be broken off without an answer."""


class FaultBox:
    """The faults of a running server. Belongs to its event loop."""

    def __init__(self) -> None:
        self._faults = HEALTHY
        self._changed = asyncio.Event()

    @property
    def faults(self) -> Faults:
        """What is wrong now."""
        return self._faults

    def set(self, faults: Faults) -> None:
        """Be unwell in another way, or well again; what was frozen goes on."""
        self._faults = faults
        self._changed.set()
        self._changed = asyncio.Event()

    async def before(self, verb: str, plural: str) -> None:
        """What happens to a request before it is looked at. Raises Refused or Broken."""
        if not self._strikes(verb, plural):
            return
        faults = self._faults
        if not faults.lost_answer:
            self._count()
        if faults.delay:
            await asyncio.sleep(faults.delay)
        if faults.freeze:
            await self._changed.wait()
        if faults.refuse:
            raise Broken
        if faults.status:
            raise refusal(
                faults.status,
                {
                    "reason": REASONS.get(faults.status, "InternalError"),
                    "message": f"a fault on purpose: {faults.status}",
                },
                retry_after=faults.retry_after or None,
            )

    async def after(self, verb: str, plural: str) -> None:
        """What happens to an answer on its way out. Raises Broken."""
        if self._faults.lost_answer and self._strikes(verb, plural):
            self._count()
            raise Broken

    def strikes_watch(self, plural: str) -> bool:
        """Whether running watches of a resource are to be broken off."""
        return self._faults.drop_watches and self._faults.strikes("watch", plural)

    def forgets(self, plural: str) -> bool:
        """Whether watches of a resource are told that their version is gone."""
        return self._faults.forget and self._faults.strikes("watch", plural)

    @property
    def changed(self) -> asyncio.Event:
        """Set when the faults change."""
        return self._changed

    def _strikes(self, verb: str, plural: str) -> bool:
        return self._faults != HEALTHY and self._faults.strikes(verb, plural)

    def _count(self) -> None:
        faults = self._faults
        if faults.times is not None:
            left = faults.times - 1
            self._faults = replace(faults, times=left) if left > 0 else HEALTHY
