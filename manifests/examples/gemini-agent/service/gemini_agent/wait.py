"""Wait until Redis answers: `python -m gemini_agent.wait`, the pod's init container."""

import os
import sys
import time

from redis import Redis
from redis.exceptions import RedisError

from gemini_agent.memory import TIMEOUT
from gemini_agent.settings import SettingError, read

PAUSE = 0.5
"""Seconds between two tries. There is no end: the pod waits as long as it takes, and says so."""


def main() -> int:
    """Exit 0 when Redis answers, 2 for a wrong setting."""
    try:
        settings = read(os.environ)
    except SettingError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if settings.redis_host:
        wait(settings.redis_host, settings.redis_port)
    return 0


def wait(host: str, port: int) -> None:
    """Return when it answers."""
    while (why := problem(host, port)) is not None:
        sys.stdout.write(f"waiting for redis at {host}:{port}: {why}\n")
        sys.stdout.flush()
        time.sleep(PAUSE)


def problem(host: str, port: int) -> str | None:
    """Give why it does not answer; None when it does."""
    try:
        with Redis(host, port, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT) as redis:
            redis.ping()
    except RedisError as error:
        return str(error)
    return None


if __name__ == "__main__":
    sys.exit(main())
