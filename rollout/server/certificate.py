"""A certificate that somebody renews in its files: each new connection has the latest.

A certificate lives for weeks, and is replaced on the disk by cert-manager or the kubelet. Each
handshake looks whether the files are others than before. A pair that does not fit together, as it
is for a moment in the middle of a renewal, changes nothing.
"""

import ssl
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)
Make = Callable[[], ssl.SSLContext]


class Renewed:
    """The TLS context of a certificate and its key, made anew whenever the files have changed."""

    def __init__(self, files: Sequence[Path], make: Make) -> None:
        """Read the files. Raises OSError (ssl.SSLError) when they are no certificate and key."""
        self._files = files
        self._make = make
        self._seen = self._state()
        self._now = make()

    def context(self) -> ssl.SSLContext:
        """Give the context to listen with; it hands each connection to the latest one."""
        listening = self._now

        def latest(connection: ssl.SSLObject, _name: str | None, _: ssl.SSLContext) -> None:
            self._renew()
            connection.context = self._now

        listening.sni_callback = latest  # also called for clients that name no server
        return listening

    def _renew(self) -> None:
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        try:
            self._now = self._make()
        except OSError as error:
            log.warning(
                "the API's certificate has changed and cannot be used: the earlier one is kept",
                files=[str(file) for file in self._files],
                why=str(error),
            )
        else:
            log.info("the API has a new certificate", files=[str(file) for file in self._files])

    def _state(self) -> tuple[int, ...]:
        """Tell one state of the files from another; () when they cannot be looked at."""
        try:
            found = [file.stat() for file in self._files]
        except OSError:
            return ()
        return tuple(n for one in found for n in (one.st_mtime_ns, one.st_ino, one.st_size))
