"""How a node agent is set up."""

from dataclasses import dataclass, field
from pathlib import Path

from rollout.sandbox.agent.container import BackOff
from rollout.sandbox.agent.tls import Tls


@dataclass(frozen=True)
class Settings:
    """How a node agent is set up.

    `namespace` None means all; `pod_cidr` None the first free /24; `programs` None that every
    image exists; `logs` None a temporary folder; `tls` None that the API server is a practice one,
    which asks for logs in plain HTTP with a token of its own.
    """

    node: str = "practice-node"
    namespace: str | None = None
    pod_cidr: str | None = None
    max_pods: int = 250
    back_off: BackOff = field(default_factory=BackOff)
    programs: frozenset[str] | None = None
    logs: Path | None = None
    tls: Tls | None = None
