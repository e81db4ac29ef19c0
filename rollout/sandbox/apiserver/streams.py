"""Watches over HTTP: lines as they come, bookmarks, an end in time."""

import asyncio
import random
from typing import Final

from aiohttp import web

from rollout.kube.errors import Gone
from rollout.sandbox.apiserver.asks import Ask
from rollout.sandbox.apiserver.faulty import Broken, FaultBox
from rollout.sandbox.apiserver.heart import Heart
from rollout.sandbox.apiserver.watches import Watch, failure
from rollout.sandbox.apiserver.wire import flag
from rollout.simulate import refusals
from rollout.simulate.cluster import SimulatedCluster

BOOKMARK_SECONDS: Final = 60.0
SHORTEST_WATCH: Final = 1800
LONGEST_WATCH: Final = 3600


async def stream_watch(
    request: web.Request, ask: Ask, cluster: SimulatedCluster, heart: Heart, box: FaultBox
) -> web.StreamResponse:
    """Send changes until the client leaves, its time is over, or a fault ends it.

    Raises Refused (400) before the first line, Broken when it is broken off.
    """
    watch, first = Watch.begin(ask, cluster)
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    try:
        if box.forgets(ask.target.plural):
            raise refusals.expired(watch.version, cluster.registry.store.version)
        for line in first:
            await response.write(line)
        await _follow(response, watch, heart, box)
    except Gone as gone:
        await response.write(failure(gone))
    except ConnectionError:
        return response
    await response.write_eof()
    return response


async def _follow(response: web.StreamResponse, watch: Watch, heart: Heart, box: FaultBox) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + _seconds(watch.ask)
    bookmarks = flag(watch.ask.query, "allowWatchBookmarks")
    due = loop.time() + BOOKMARK_SECONDS
    while (left := end - loop.time()) > 0:
        if box.strikes_watch(watch.ask.target.plural):
            raise Broken
        for line in watch.lines():
            await response.write(line)
        if bookmarks and loop.time() >= due:
            await response.write(watch.bookmark())
            due = loop.time() + BOOKMARK_SECONDS
        await heart.changed(min(left, max(due - loop.time(), 0.0)) if bookmarks else left)
    for line in watch.lines():
        await response.write(line)
    if bookmarks:
        await response.write(watch.bookmark())


def _seconds(ask: Ask) -> float:
    asked = ask.query.get("timeoutSeconds", "")
    if asked.isdigit() and int(asked) > 0:
        return float(asked)
    return random.uniform(SHORTEST_WATCH, LONGEST_WATCH)  # noqa: S311 - spreads reconnects
