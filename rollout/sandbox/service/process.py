"""One pod's process: opens its port when it has started, crashes when dialled, stops on SIGTERM."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client import disable_created_metrics

from rollout.sandbox.service.behaviour import Behaviour, Metrics
from rollout.sandbox.service.dials import Dials, read_dials
from rollout.sandbox.service.server import Server


@dataclass(frozen=True)
class Settings:
    """What a process is told at its start. Port 0 means any free one."""

    version: str
    pod: str
    host: str
    port: int
    dials: Dials

    @classmethod
    def read(
        cls, version: str, pod: str, host: str, port: int, environment: Mapping[str, str]
    ) -> "Settings":
        """Read the dials of tag and environment. Raises DialError."""
        return cls(version, pod, host, port, read_dials(version, environment))


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; 0 when every request in flight was answered."""
    disable_created_metrics()  # type: ignore[no-untyped-call] # series that nobody asks for
    asyncio.run(_serve(settings))
    return 0


async def _serve(settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    if settings.dials.crash_after is not None:
        loop.call_later(settings.dials.crash_after, crash)
    if await _told_within(told, settings.dials.startup_seconds):
        return
    server = _server(settings)
    port = await server.listen(settings.host, settings.port)
    print(f"listening on {settings.host}:{port}", flush=True)  # noqa: T201 - a pod's log
    await told.wait()
    await asyncio.sleep(settings.dials.linger)
    server.stop()
    await server.stopped()


async def _told_within(told: asyncio.Event, seconds: float) -> bool:
    if not seconds:
        return False
    try:
        await asyncio.wait_for(told.wait(), seconds)
    except TimeoutError:
        return False
    return True


def _server(settings: Settings) -> Server:
    metrics = Metrics()
    chance = random.SystemRandom().random
    behaviour = Behaviour(settings.version, settings.pod, settings.dials, chance, metrics)
    return Server(settings.version, behaviour, metrics)


def crash() -> None:
    """End at once, as a program does that crashes."""
    sys.stderr.write("crashing, as dialled\n")
    sys.stderr.flush()
    os._exit(1)
