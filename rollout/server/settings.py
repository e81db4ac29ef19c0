"""How the API runs, and what bounds it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

BODY_BYTES: Final = 256 * 1024
"""Longest request body: an inline policy has a few kilobytes."""


@dataclass(frozen=True)
class Limits:
    """What nobody may exceed. Times in seconds."""

    review: float = 3.0
    """How long a question about a person may take."""
    known: float = 10.0
    """For how long it is remembered whose a token is."""
    allowed: float = 5.0
    """For how long it is remembered that somebody may do something."""
    call: float = 10.0
    """How long one call of a command to the cluster may take."""
    head: float = 10.0
    """How long a client may take to say what it wants."""
    body: float = 10.0
    """How long a client may pause in the middle of a body."""
    send: float = 15.0
    """How long a client may take nothing of what it is sent, before it is cut off."""
    heartbeat: float = 10.0
    """A stream says something at least this often."""
    recheck: float = 15.0
    """How often a stream asks again whether its reader may still read."""
    queue: int = 256
    """Changes that wait for a reader; one that falls behind further is cut off."""
    connections: int = 1024
    """Connections at the same time; who has one more is told to come again."""
    streams: int = 200
    """Streams at the same time."""
    stop: int = 1
    """How long answers may still go on after the order to stop."""


@dataclass(frozen=True)
class ApiSettings:
    """Where the API listens; `port` 0 takes any free one. With a certificate it speaks TLS."""

    bind: str = "127.0.0.1"
    port: int = 0
    certificate: Path | None = None
    key: Path | None = None
    audience: str = ""
    """Whom tokens must be meant for; "": the cluster, as those of kubeconfigs are."""
    limits: Limits = field(default_factory=Limits)

    @property
    def secure(self) -> bool:
        """Whether it speaks TLS."""
        return self.certificate is not None
