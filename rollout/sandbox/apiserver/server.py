"""The practice API server as a thing that is started and stopped."""

import asyncio
import secrets
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

import yaml
from aiohttp import web

from rollout.sandbox.apiserver.app import Front
from rollout.sandbox.apiserver.faults import HEALTHY, Faults
from rollout.sandbox.apiserver.faulty import FaultBox
from rollout.sandbox.apiserver.heart import Heart
from rollout.sandbox.apiserver.users import ADMINISTRATORS, PREFIX, User
from rollout.simulate.cluster import SimulatedCluster
from rollout.simulate.store import WINDOW

HOST: Final = "127.0.0.1"
ADMINISTRATOR: Final = User("admin", (ADMINISTRATORS,))
NAMESPACES: Final = ("default", "kube-system", "kube-public")
START_SECONDS: Final = 10.0
GRACE_SECONDS: Final = 0.1


class ServerError(Exception):
    """The practice API server did not start; the message says why."""


class ApiServer:
    """A Kubernetes API on a local port, with the control loops that a release rests on.

    Runs in one thread of its own. Use as a context manager, or `start` and `stop`.
    """

    def __init__(
        self,
        port: int = 0,
        tokens: Mapping[str, User] | None = None,
        *,
        namespaces: Iterable[str] = NAMESPACES,
        window: int = WINDOW,
    ) -> None:
        """Prepare a server.

        `port` 0 takes a free one. `tokens` are bearer tokens and their users; without them there
        is one administrator with a token of its own (`token`). `window` is how many changes a
        watch may lag behind before it gets 410.
        """
        self._port = port
        self.tokens = dict(tokens or {secrets.token_urlsafe(24): ADMINISTRATOR})
        self.cluster = SimulatedCluster(
            lambda: datetime.now(UTC),
            namespaces=namespaces,
            events=True,
            seed=secrets.token_hex(8),
            window=window,
        )
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._box: FaultBox | None = None
        self._heart: Heart | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None

    @property
    def url(self) -> str:
        """Where the API is; only after `start`."""
        return f"http://{HOST}:{self._port}"

    @property
    def token(self) -> str:
        """The first token."""
        return next(iter(self.tokens))

    def start(self) -> None:
        """Serve; returns when requests are taken. Raises ServerError."""
        self._ready.clear()
        self._thread = threading.Thread(target=self._run, name="practice-api", daemon=True)
        self._thread.start()
        if not self._ready.wait(START_SECONDS):
            raise ServerError(f"the API server did not start within {START_SECONDS:.0f} s")
        if self._failure is not None:
            raise ServerError(f"port {self._port} of {HOST}: {self._failure}") from self._failure

    def stop(self) -> None:
        """Take no more requests, break off what is under way, end the thread."""
        if self._loop is not None and self._stop is not None and self._thread is not None:
            self._call(self._stop.set)
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def faults(self) -> Faults:
        """What is wrong with the server on purpose."""
        return HEALTHY if self._box is None else self._box.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        if self._box is None or self._heart is None:
            raise ServerError("faults can be set after start() only")
        done = threading.Event()
        box, heart = self._box, self._heart

        def change() -> None:
            box.set(faults)
            heart.disturb()
            done.set()

        self._call(change)
        done.wait(START_SECONDS)

    def disturb(self) -> None:
        """Tell that `cluster` was written to directly, not over HTTP."""
        if self._heart is not None:
            self._call(self._heart.written)

    def _call(self, function: Any) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._box, self._heart = FaultBox(), Heart(self.cluster)
        front = Front(self.cluster, self._heart, self.tokens, self._box)
        runner = web.AppRunner(front.application(), access_log=None, shutdown_timeout=GRACE_SECONDS)
        await runner.setup()
        site = web.TCPSite(runner, HOST, self._port)
        try:
            await site.start()
        except OSError as error:
            self._failure = error
            self._ready.set()
            await runner.cleanup()
            return
        self._port = runner.addresses[0][1]
        beating = asyncio.create_task(self._heart.run())
        self._ready.set()
        await self._stop.wait()
        beating.cancel()
        await runner.cleanup()

    def kubeconfig(self, *, namespace: str = "default", token: str | None = None) -> str:
        """The text of a kubeconfig with which clients reach the server."""
        name = "rollout-sandbox"
        given = token or self.token
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": name, "cluster": {"server": f"{self.url}{PREFIX}{given}"}}],
                "users": [{"name": name, "user": {"token": given}}],
                "contexts": [
                    {
                        "name": name,
                        "context": {"cluster": name, "user": name, "namespace": namespace},
                    }
                ],
                "current-context": name,
            },
            sort_keys=False,
        )

    def write_kubeconfig(self, path: Path, *, namespace: str = "default") -> Path:
        """Write the kubeconfig to a file that only its owner may read; gives the path."""
        path.touch(mode=0o600)
        path.write_text(self.kubeconfig(namespace=namespace))
        return path
