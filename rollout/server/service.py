"""The API as a thread of the daemon, which owns signals and the order of stopping.

`uvicorn.run` would take the signals and end the process by them, and the lease would not be given
back. An open stream would hold up the stop for ever: streams are told to end, and who does not
go is cut off after a second.
"""

import asyncio
import logging
import socket
import ssl
import threading
from typing import Final

import structlog
import uvicorn
from prometheus_client import CollectorRegistry

from rollout.kube.cache import Change
from rollout.server.app import application
from rollout.server.bounded import Bounded, connection
from rollout.server.certificate import Make, Renewed
from rollout.server.feed import Feed
from rollout.server.parts import Parts
from rollout.server.settings import ApiSettings

log = structlog.get_logger(__name__)
IDLE_SECONDS: Final = 30
JOIN_SECONDS: Final = 5.0


class Api:
    """The HTTP API."""

    def __init__(self, settings: ApiSettings, parts: Parts, registry: CollectorRegistry) -> None:
        """Build and bind it; nothing is answered yet.

        Raises OSError for an address that is taken, ValueError for a certificate that is none.
        """
        self._settings = settings
        self._feed = Feed(settings.limits.queue)
        app = application(parts, self._feed, registry, settings)
        self._config = self._configured(Bounded(app, settings.limits))
        self._socket = socket.create_server(
            (settings.bind, settings.port), family=_family(settings.bind), reuse_port=False
        )
        self._port = int(self._socket.getsockname()[1])
        self._server = uvicorn.Server(self._config)
        self._thread = threading.Thread(target=self._run, name="api", daemon=True)

    def _configured(self, app: Bounded) -> uvicorn.Config:
        settings = self._settings
        config = uvicorn.Config(
            app,
            http=connection(settings.limits),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=settings.limits.stop,
            ssl_certfile=settings.certificate,
            ssl_keyfile=settings.key,
            ssl_context_factory=self._renewed if settings.secure else None,
        )
        try:
            config.load()
        except (OSError, ssl.SSLError) as error:
            raise ValueError(
                f"--api-tls-cert {settings.certificate} with --api-tls-key {settings.key}: {error}"
            ) from error
        return config

    def _renewed(self, _: uvicorn.Config, make: Make) -> ssl.SSLContext:
        files = (self._settings.certificate, self._settings.key)
        return Renewed([file for file in files if file is not None], make).context()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._port

    @property
    def url(self) -> str:
        """Where it is, as this machine reaches it."""
        scheme = "https" if self._settings.secure else "http"
        bind = self._settings.bind
        host = f"[{bind}]" if ":" in bind else bind
        return f"{scheme}://{host}:{self.port}"

    def problems(self) -> list[str]:
        """Say what is wrong; nothing when it answers."""
        ended = self._thread.ident is not None and not self._thread.is_alive()
        return ["the API has ended"] if ended else []

    def start(self) -> None:
        """Begin to answer; returns at once."""
        if not self._settings.secure and self._settings.bind not in {"127.0.0.1", "::1"}:
            log.warning(
                "the API speaks plain HTTP beyond this machine: tokens can be read on the way; "
                "give --api-tls-cert and --api-tls-key, or let a proxy speak TLS",
                bind=self._settings.bind,
            )
        self._thread.start()

    def hear(self, change: Change) -> None:
        """Pass a change on to the streams; never waits."""
        self._feed.hear(change)

    def close(self) -> None:
        """Take no more requests and end the streams; returns at once."""
        self._feed.stop()
        self._server.should_exit = True

    def stop(self) -> None:
        """Close it, and wait until it has ended."""
        self.close()
        if self._thread.ident is not None:
            self._thread.join(JOIN_SECONDS)
        self._socket.close()

    def _run(self) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        try:
            asyncio.run(self._server.serve(sockets=[self._socket]))
        except Exception:
            log.exception("the API has ended")


def _family(bind: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in bind else socket.AF_INET
