"""The load generator counts every answer, and only ever talks to this machine."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from aiohttp import web

from rollout.sandbox.load import Load, Plan
from rollout.sandbox.load.generator import TargetError


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/",
        "http://192.168.1.1:80/",
        "http://example.com/",
        "https://127.0.0.1/",
        "http://[::1]/",
    ],
)
def test_a_target_beyond_this_machine_is_refused(url: str) -> None:
    with pytest.raises(TargetError, match="not on this machine"):
        Plan(url)


@pytest.mark.parametrize("rate", [0, -1, 2001])
def test_a_rate_beyond_the_bounds_is_refused(rate: float) -> None:
    with pytest.raises(TargetError, match="rate"):
        Plan("http://127.0.0.1:1/", rate=rate)


@pytest.mark.parametrize("seconds", [0, 3601])
def test_a_time_beyond_the_bounds_is_refused(seconds: float) -> None:
    with pytest.raises(TargetError, match="seconds"):
        Plan("http://127.0.0.1:1/", seconds=seconds)


@contextmanager
def serving() -> Iterator[str]:
    """A server whose every fifth answer is its own error, and every seventh nobody's."""
    count, loop, ready, port = [0], asyncio.new_event_loop(), threading.Event(), [0]

    async def answer(_: web.Request) -> web.Response:
        count[0] += 1
        if count[0] % 7 == 0:
            return web.Response(status=503)
        headers = {"x-version": "v2"}
        if count[0] % 5 == 0:
            return web.Response(status=500, headers={**headers, "x-dialled": "error"})
        return web.Response(headers=headers)

    async def serve() -> None:
        app = web.Application()
        app.router.add_get("/", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port[0] = runner.addresses[0][1]
        ready.set()
        await stop.wait()
        await runner.cleanup()

    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(5)
    try:
        yield f"http://127.0.0.1:{port[0]}/"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(5)
        loop.close()


def test_every_answer_is_counted_by_what_it_was() -> None:
    with serving() as url, Load(Plan(url, rate=200, seconds=10, count=70)) as load:
        load.wait()
    requests = load.tally.snapshot()
    assert requests.sent == requests.answered == 70
    assert requests.lost_count == 10
    assert requests.count("v2").dialled == 12
    assert requests.count("v2").ok == 48


def test_a_refused_connection_is_a_lost_request() -> None:
    with Load(Plan("http://127.0.0.1:9/", rate=50, seconds=5, count=3)) as load:
        load.wait()
    assert load.tally.snapshot().lost_count == 3
