"""What somebody wants to start, and what came of it."""

from dataclasses import dataclass, field
from typing import Any

from rollout.resources.writes import Object


@dataclass(frozen=True)
class Request:
    """What somebody wants to start."""

    version: str
    rollout: str | None = None
    deployment: str | None = None
    strategy: str | None = None
    policy: dict[str, Any] | None = None
    """A policy as `spec.policy` takes it: {"name": ...} or {"inline": {...}}."""
    by: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Started:
    """A release that was created, and what was assumed on the way."""

    release: Object
    assumed: tuple[str, ...] = field(default_factory=tuple)
