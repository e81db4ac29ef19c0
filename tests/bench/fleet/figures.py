"""Figures from the audit log: who wrote what, and how long after what."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Final

from rollout.resources.release import Release
from tests.controlplane.access import Call

CONTROLLER: Final = "controller"
ADMIN: Final = "admin"


@dataclass(frozen=True)
class Delays:
    """Seconds from something to something, of every release."""

    seconds: tuple[float, ...]

    def __str__(self) -> str:
        if not self.seconds:
            return "none"
        ordered = sorted(self.seconds)
        late = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
        return f"median {median(ordered):7.3f} s   p99 {late:7.3f} s"


def counted(calls: Iterable[Call]) -> Counter[str]:
    """Count the controller's calls by verb and resource, without its Lease and its watches."""
    found = Counter[str]()
    for call in calls:
        mine = call.user == CONTROLLER and call.resource != "leases"
        if mine and call.verb != "watch":  # one that ends by its time is opened again
            part = f"/{call.subresource}" if call.subresource else ""
            found[f"{call.verb} {call.resource}{part}"] += 1
    return found


def since_command(calls: Iterable[Call]) -> Delays:
    """From each person's action to the first write to that service's canary route after it."""
    asked: dict[tuple[str, str], float] = {}
    delays: dict[tuple[str, str], float] = {}
    for call in sorted(calls, key=lambda one: one.at):
        if call.user == ADMIN and call.resource == "releases" and call.verb == "patch":
            asked.setdefault((call.namespace, _service(call.name)), _moment(call))
        key = (call.namespace, call.name.removesuffix("-candidate"))
        if _moves_traffic(call) and key in asked:
            delays.setdefault(key, _moment(call) - asked[key])
    return Delays(tuple(delays.values()))


def since_verdict(calls: Iterable[Call], releases: Iterable[Release]) -> Delays:
    """From the reading that made a verdict Fail to the write that took the traffic away."""
    moved: dict[tuple[str, str], float] = {}
    for call in sorted(calls, key=lambda one: one.at):
        if _moves_traffic(call):
            moved[call.namespace, call.name.removesuffix("-candidate")] = _moment(call)
    return Delays(tuple(_delays(moved, releases)))


def _delays(moved: dict[tuple[str, str], float], releases: Iterable[Release]) -> Iterator[float]:
    for release in releases:
        verdict = release.status.verdict
        if verdict is not None and verdict.result == "Fail" and verdict.at is not None:
            key = (release.metadata.namespace, release.spec.rollout)
            yield moved[key] - verdict.at.timestamp()


def since(calls: Iterable[Call], moment: float) -> Delays:
    """From one moment to the write that took each service's traffic away."""
    moved: dict[str, float] = {}
    for call in sorted(calls, key=lambda one: one.at):
        if _moves_traffic(call) and _moment(call) > moment:
            moved.setdefault(f"{call.namespace}/{call.name}", _moment(call) - moment)
    return Delays(tuple(moved.values()))


def _moves_traffic(call: Call) -> bool:
    mine = call.user == CONTROLLER and call.verb == "patch" and 200 <= call.code < 300
    return mine and call.resource == "ingresses" and call.name.endswith("-candidate")


def _service(release: str) -> str:
    return release.rpartition("-")[0]


def _moment(call: Call) -> float:
    return datetime.fromisoformat(call.at).timestamp()
