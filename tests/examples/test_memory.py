"""What a pod of the sample service remembers by itself does not grow without an end."""

import asyncio
import time

import pytest
from gemini_agent import memory
from gemini_agent.memory import Own


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
