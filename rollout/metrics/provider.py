"""What every provider of metrics does: read raw counters of both tracks at one moment.

Providers know nothing of Kubernetes: pods come as values. What cannot be had is a value too
(`Missing`, `Failed`), never an exception and never a zero. One provider serves all releases that
read from the same place, so that what many of them want is asked for once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from rollout.analysis.counts import Outcome
from rollout.analysis.signals import Track
from rollout.resources.policy import RolloutPolicySpec

SCRAPE: Final = "prometheus.io/scrape"
PORT: Final = "prometheus.io/port"
PATH: Final = "prometheus.io/path"
SCHEME: Final = "prometheus.io/scheme"


@dataclass(frozen=True)
class PodAddress:
    """A pod and where its metrics are. `problem` says why they cannot be read, if so."""

    name: str
    ip: str
    port: int = 0
    path: str = "/metrics"
    problem: str = ""


@dataclass(frozen=True)
class Side:
    """One track as a provider finds it: by its pods, its hash, or the Service in front of it."""

    hash: str
    service: str
    pods: tuple[PodAddress, ...] = ()
    route: str = ""
    """The Service that the user's routes name, where it is not `service`: the candidate's own
    Service stands beside it, behind a canary route."""


@dataclass(frozen=True)
class TrackQuery:
    """Whose counters are wanted."""

    namespace: str
    stable: Side
    candidate: Side

    def side(self, track: Track) -> Side:
        """Give one side."""
        return self.stable if track is Track.STABLE else self.candidate


@dataclass(frozen=True)
class Ask:
    """What one release wants to know: the counters and values of a policy, of its tracks."""

    policy: RolloutPolicySpec
    query: TrackQuery


class MetricsProvider(Protocol):
    """Reads for all releases that share a policy's `provider`. Used from one thread at a time."""

    def sample(self, asks: Sequence[Ask], at: datetime) -> list[Outcome]:
        """Read all counters of both tracks of each as they are at a moment (now, for the pods).

        Gives an outcome per ask, in their order. Takes at most about the provider's timeout for
        each different thing it has to ask. Raises nothing for what the outside does.
        """

    def close(self) -> None:
        """Give back connections and threads."""


def pod_address(pod: Mapping[str, Any]) -> PodAddress | None:
    """Read a Pod object's address and `prometheus.io` annotations.

    None for a pod that has no process to read: without an address, or ended. Without
    `prometheus.io/scrape: "true"`, or without a port that is plain, the answer has a `problem`.
    """
    status, metadata = pod.get("status", {}), pod["metadata"]
    if not status.get("podIP") or status.get("phase") in ("Succeeded", "Failed"):
        return None
    notes = metadata.get("annotations") or {}
    port = _port(pod, notes)
    return PodAddress(
        name=metadata["name"],
        ip=status["podIP"],
        port=port or 0,
        path="/" + notes.get(PATH, "/metrics").lstrip("/"),
        problem=_problem(notes, port),
    )


def _port(pod: Mapping[str, Any], notes: Mapping[str, str]) -> int | None:
    if PORT in notes:
        return int(notes[PORT]) if notes[PORT].isdigit() else None
    containers = pod.get("spec", {}).get("containers", [])
    declared = {p["containerPort"] for c in containers for p in c.get("ports") or ()}
    return declared.pop() if len(declared) == 1 else None


def _problem(notes: Mapping[str, str], port: int | None) -> str:
    if notes.get(SCRAPE) != "true":
        return f'annotation {SCRAPE} is not "true": set it in the pod template, or use Prometheus'
    if notes.get(SCHEME, "http") != "http":
        return f"annotation {SCHEME} is {notes[SCHEME]!r}: only http is read here, use Prometheus"
    if port is None:
        return f"annotation {PORT} names no port: set the number of the port with metrics"
    return ""
