"""Serve until told to stop: `python -m gemini_agent`, configured by the environment."""

import os
import random
import sys
from threading import Timer
from types import FrameType

import uvicorn

from gemini_agent import logs
from gemini_agent.app import create_app
from gemini_agent.memory import Memory, Own, Shared
from gemini_agent.settings import SettingError, Settings, read

STOP_SECONDS = 20
"""For requests in flight; the pod has 30 seconds, of which some go to `preStop`."""
KEEP_SECONDS = 75
"""For connections that nobody uses: longer than proxies keep them (ingress-nginx: 60 s). Who closes
first loses no request; a server that does may close just as the next request comes."""


def main() -> int:
    """Exit 0 after SIGTERM, when all that was asked is answered; 2 for a wrong setting."""
    try:
        settings = read(os.environ)
    except SettingError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    serve(settings)
    return 0


def serve(settings: Settings) -> None:
    """Serve until told to stop."""
    logs.set_up(settings.log_level, settings.log_format)
    app = create_app(settings, memory(settings), random.SystemRandom().random)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=STOP_SECONDS,
        timeout_keep_alive=KEEP_SECONDS,
        forwarded_allow_ips=list(settings.proxies),
    )
    Server(config, settings.dials.linger_seconds).run()


class Server(uvicorn.Server):
    """Goes on for a while when it is told to stop, as services do that wait for their routers."""

    def __init__(self, config: uvicorn.Config, linger: float) -> None:
        """Make it. `linger`: for how long it goes on, in seconds."""
        super().__init__(config)
        self._linger = linger

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Be told to stop."""
        if not self._linger:
            super().handle_exit(sig, frame)
            return
        later = Timer(self._linger, super().handle_exit, (sig, frame))
        later.daemon = True
        later.start()


def memory(settings: Settings) -> Memory:
    """Give what pods share, or what this one has alone where there is no Redis."""
    if not settings.redis_host:
        return Own()
    return Shared(settings.redis_host, settings.redis_port, settings.redis_password)


if __name__ == "__main__":
    sys.exit(main())
