"""What pods of the sample service remember: no more than fits, and without waiting for Redis."""

import asyncio
import socket
import time
from contextlib import suppress

import pytest
from gemini_agent import memory
from gemini_agent.memory import Own, Shared
from redis.exceptions import RedisError


def test_no_more_clients_are_counted_than_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "KEPT_CLIENTS", 3)
    own = Own()

    async def ask() -> list[int]:
        return [await own.asked(client, 10**9) for client in ("a", "b", "c", "d", "d", "a")]

    assert asyncio.run(ask()) == [1, 1, 1, 1, 2, 1]  # a was forgotten for d
    assert len(own._asked) == 3


def test_who_asked_in_an_earlier_window_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    own, now = Own(), [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    assert asyncio.run(own.asked("a", 60)) == 1
    now[0] += 60
    assert asyncio.run(own.asked("b", 60)) == 1
    assert list(own._asked) == ["b"]


def test_a_redis_that_is_silent_is_waited_for_once_and_asked_again_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "TIMEOUT", 0.2)
    monkeypatch.setattr(memory, "REST", 0.5)

    async def waited(shared: Shared) -> float:
        began = time.monotonic()
        with suppress(RedisError):
            await shared.recall("x")
        return time.monotonic() - began

    async def ask(port: int) -> list[bool]:
        shared = Shared("127.0.0.1", port)
        first = [await waited(shared) for _ in range(3)]
        await asyncio.sleep(0.6)
        found = [*first, await waited(shared)]
        await shared.close()
        assert max(found) < 2.0, "it tries again and again"
        return [seconds > 0.15 for seconds in found]

    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert asyncio.run(ask(silent.getsockname()[1])) == [True, False, False, True]
