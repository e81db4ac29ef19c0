"""What pods share: how often a client has asked, and answers that were given before.

In Redis, so that a limit holds however many pods there are; without one, each pod's own.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

TIMEOUT: Final = 1.0
"""Seconds for one question to Redis: an answer that waits longer is given without it."""
REST: Final = 5.0
"""Seconds for which nobody asks it again when it did not answer: each would wait in vain."""
CACHED_SECONDS: Final = 300
KEPT_CLIENTS: Final = 10_000
KEPT_ANSWERS: Final = 1_000


class Memory(Protocol):
    """What is remembered between requests."""

    async def asked(self, client: str, window: int) -> int:
        """Count a request of a client; gives how many there are in this window (seconds)."""

    async def recall(self, key: str) -> str | None:
        """Give what was kept under a key, None when there is nothing."""

    async def keep(self, key: str, value: str) -> None:
        """Keep something for a while."""

    async def check(self) -> None:
        """Raise RedisError when it cannot be asked."""

    async def close(self) -> None:
        """Let go of connections."""


class Shared:
    """In Redis."""

    def __init__(self, host: str, port: int, password: str = "") -> None:
        self._redis = Redis(
            host=host,
            port=port,
            password=password or None,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            decode_responses=True,
            retry=Retry(NoBackoff(), 0),  # by itself it tries for seconds, and somebody waits
        )
        self._resting = 0.0
        """Until then, by the monotonic clock."""

    async def asked(self, client: str, window: int) -> int:
        """Count in one key per client and window, which goes away by itself."""
        key = f"asked:{client}:{int(time.time()) // window}"
        async with self._asking(), self._redis.pipeline(transaction=True) as both:
            both.incr(key)
            both.expire(key, 2 * window)
            count, _ = await both.execute()
        return int(count)

    async def recall(self, key: str) -> str | None:
        """Read a key."""
        async with self._asking():
            found = await self._redis.get(key)
        return None if found is None else str(found)

    async def keep(self, key: str, value: str) -> None:
        """Write a key that goes away by itself."""
        async with self._asking():
            await self._redis.set(key, value, ex=CACHED_SECONDS)

    async def check(self) -> None:
        """Ask for a sign of life."""
        await self._redis.ping()

    async def close(self) -> None:
        """Close the pool."""
        await self._redis.aclose()

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        if time.monotonic() < self._resting:
            raise exceptions.ConnectionError("it did not answer a moment ago")
        try:
            yield
        except (exceptions.ConnectionError, exceptions.TimeoutError):
            self._resting = time.monotonic() + REST
            raise


class Own:
    """In this process alone, and no more than fits: the oldest is forgotten first."""

    def __init__(self) -> None:
        self._window = 0
        self._asked: dict[str, int] = {}
        self._kept: dict[str, str] = {}

    async def asked(self, client: str, window: int) -> int:
        """Count in the window that is now."""
        now = int(time.time()) // window
        if now != self._window:
            self._window = now
            self._asked.clear()
        self._asked[client] = self._asked.get(client, 0) + 1
        _forget(self._asked, KEPT_CLIENTS)
        return self._asked[client]

    async def recall(self, key: str) -> str | None:
        """Look it up."""
        return self._kept.get(key)

    async def keep(self, key: str, value: str) -> None:
        """Keep the newest."""
        self._kept[key] = value
        _forget(self._kept, KEPT_ANSWERS)

    async def check(self) -> None:
        """There is nothing that could be away."""

    async def close(self) -> None:
        """There is nothing to let go."""


def _forget(found: dict[str, Any], most: int) -> None:
    while len(found) > most:
        del found[next(iter(found))]
