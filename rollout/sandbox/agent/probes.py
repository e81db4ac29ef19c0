"""Probes as the kubelet runs them: a fresh connection each time, thresholds in a row.

One departure: before a probe has passed for the first time it is tried sooner than its period,
because a pod here starts in milliseconds and the usual period is ten seconds. What counts
against the pod still counts by the period.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Final

from rollout.sandbox.agent.spec import Probe

_FIRST_PAUSE: Final = 0.02
_READ_LIMIT: Final = 1024

Check = Callable[[Probe], Awaitable[bool]]


async def check(probe: Probe, host: str) -> bool:
    """Run a probe once against the address on which the pod listens."""
    if probe.port is None:
        return True
    try:
        async with asyncio.timeout(probe.timeout):
            return await _ask(probe, host, probe.port)
    except (OSError, ValueError):
        return False


async def first_pass(probe: Probe, run: Check) -> bool:
    """Wait until a probe passes; False when that takes as long as its failures may.

    This is all there is to a startup probe.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + probe.failure_threshold * probe.period
    pause = _FIRST_PAUSE
    while not await run(probe):
        if loop.time() >= deadline:
            return False
        await asyncio.sleep(min(pause, probe.period))
        pause *= 2
    return True


async def verdicts(probe: Probe, run: Check) -> AsyncIterator[bool]:
    """Give each change of verdict: True after successes in a row, False after failures."""
    await asyncio.sleep(probe.initial_delay)
    while not await first_pass(probe, run):
        yield False
    verdict, streak = False, 1
    while True:
        if streak >= (probe.failure_threshold if verdict else probe.success_threshold):
            verdict, streak = not verdict, 0
            yield verdict
        await asyncio.sleep(probe.period)
        streak = streak + 1 if await run(probe) != verdict else 0


async def _ask(probe: Probe, host: str, port: int) -> bool:
    reader, writer = await asyncio.open_connection(host, port, limit=_READ_LIMIT)
    try:
        if probe.path is None:
            return True
        writer.write(_request(probe, host, port))
        status = int((await reader.readline()).split(b" ", 2)[1])
    except IndexError as cause:
        raise ValueError("the answer has no status line") from cause
    finally:
        writer.close()
    return HTTPStatus.OK <= status < HTTPStatus.BAD_REQUEST


def _request(probe: Probe, host: str, port: int) -> bytes:
    headers = {"host": f"{host}:{port}", "user-agent": "kube-probe/rollout", **probe.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET {probe.path} HTTP/1.1\r\n{lines}connection: close\r\n\r\n".encode("latin-1")
