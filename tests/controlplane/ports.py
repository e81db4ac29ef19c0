"""Ports for servers that cannot be told to take any free one.

etcd and the API server need their ports before they start, and keep them over a restart. Asking
the kernel for a free port and letting go of it leaves a gap in which another test takes it. So a
port is chosen outside the range that the kernel hands out, and held by a lock on a file that all
test processes of this machine know; the kernel drops the lock when its holder dies. Who needs the
very port that a page names waits for it by the same locks.
"""

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

ADDRESS: Final = "127.0.0.1"
RANGE: Final = range(20_000, 30_000)
"""Below 32768, where Linux begins to choose ports for outgoing connections."""


class PortLease:
    """Some free ports on 127.0.0.1, ours until `release()` or the end of this process."""

    def __init__(self, count: int) -> None:
        """Take ports.

        Raises:
            OSError: fewer than `count` ports are free.

        """
        self._locks: list[IO[str]] = []
        self.ports: tuple[int, ...] = ()
        for port in random.sample(RANGE, len(RANGE)):
            if len(self.ports) == count:
                return
            if self._take(port):
                self.ports = (*self.ports, port)
        self.release()
        raise OSError(f"fewer than {count} free ports on {ADDRESS} in {RANGE}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def release(self) -> None:
        """Let others have the ports."""
        for lock in self._locks:
            lock.close()
        self._locks = []

    def _take(self, port: int) -> bool:
        lock = (_lock_folder() / str(port)).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        if not _is_free(port):
            lock.close()
            return False
        self._locks.append(lock)
        return True


@contextmanager
def alone_on(*ports: int) -> Iterator[None]:
    """Hold ports that a page names, once no other test holds one of them."""
    with ExitStack() as stack:
        for port in sorted(ports):
            lock = stack.enter_context((_lock_folder() / str(port)).open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert _is_free(port), f"port {port} is taken by a program that is none of the tests'"
        yield


def _lock_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"rollout-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    return folder


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError:
            return False
    return True
