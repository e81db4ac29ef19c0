"""Prints how a controller fares with 1, 50 and 200 releases at once, on a real control plane.

    python -m tests.bench.fleet 1 50 200

Each size: the fleet is idle for half a minute; then every service ships a good version; then a
second one that people roll back at its first step, a few one by one and the others all at once;
then a third one whose metrics turn bad at its first step. Calls and delays are read from the API
server's audit log.
"""

import argparse
import subprocess
import sys
import time
from statistics import median
from typing import Final

from rollout.resources.action import ActionType
from rollout.resources.release import Phase
from tests.bench.fleet.figures import counted, since, since_command, since_verdict
from tests.bench.fleet.fleet import HOLD, INTERVAL, Fleet

IDLE_SECONDS: Final = 30.0
SINGLE: Final = 10
"""Commands that come one by one."""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=[1, 50, 200])
    parser.add_argument("--per-namespace", type=int, default=10, help="services in a namespace")
    parser.add_argument("--workers", default="4", help="of the controller")
    parser.add_argument("--hold", type=float, default=HOLD, help="seconds of a step and the bake")
    parser.add_argument(
        "--idle", type=float, default=IDLE_SECONDS, help="seconds without a release"
    )
    arguments = parser.parse_args()
    print(f"rollout --help          median {_median(['--help']):6.2f} s")
    for size in arguments.sizes:
        controller = ("--workers", arguments.workers)
        with Fleet(size, arguments.per_namespace, controller, arguments.hold) as fleet:
            _size(fleet, size, arguments.idle)


def _median(arguments: list[str]) -> float:
    """Run a command of ours a few times; gives the median of its seconds."""

    def once() -> float:
        began = time.perf_counter()
        command = [sys.executable, "-m", "rollout", *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
        return time.perf_counter() - began

    return median(once() for _ in range(5))


def _size(fleet: Fleet, size: int, idle: float) -> None:
    print(f"\n{size} releases at once")
    time.sleep(5)  # the controller's own start: lists, first looks
    _idle(fleet, idle)
    _good(fleet, size)
    _commanded(fleet)
    _bad(fleet)
    _say("controller memory", f"{fleet.memory():.0f} MB")
    space, name = fleet.services[0]
    asked = ["--kubeconfig", str(fleet.kubeconfig), "-n", space, "status", f"{name}-v4"]
    _say("rollout status", f"median {_median(asked):7.3f} s")


def _idle(fleet: Fleet, seconds: float) -> None:
    position, cpu = fleet.plane.access.audit_position(), fleet.cpu()
    time.sleep(seconds)
    calls = counted(fleet.plane.access.audit(position))
    _say(f"calls in {seconds:.0f} s idle", f"{calls.total()} {dict(calls) or ''}")
    _say("CPU while idle", f"{(fleet.cpu() - cpu) / seconds * 100:.1f} %")


def _good(fleet: Fleet, size: int) -> None:
    position, cpu, queries = fleet.plane.access.audit_position(), fleet.cpu(), fleet.queries()
    began = time.monotonic()
    fleet.start("v2")
    fleet.await_phase("v2", Phase.SUCCEEDED)
    time.sleep(2)  # the last events
    calls = counted(fleet.plane.access.audit(position))
    _say("a release, start to end", f"{time.monotonic() - began:.0f} s for all")
    _say("calls per release", f"{calls.total() / size:.1f}")
    for what, count in calls.most_common():
        _say(f"    {what}", f"{count / size:.1f}")
    _say("metric queries per release", f"{(fleet.queries() - queries) / size:.1f}")
    _say("CPU per release", f"{(fleet.cpu() - cpu) / size:.2f} s")


def _commanded(fleet: Fleet) -> None:
    fleet.start("v3")
    fleet.await_weight("v3", 10)
    position = fleet.plane.access.audit_position()
    few, many = fleet.services[:SINGLE], fleet.services[SINGLE:]
    for service in few:
        fleet.act("v3", ActionType.ROLLBACK, [service])
        time.sleep(1)
    _say("a command to traffic", str(since_command(fleet.plane.access.audit(position))))
    position = fleet.plane.access.audit_position()
    fleet.act("v3", ActionType.ROLLBACK, many)
    fleet.await_phase("v3", Phase.ROLLED_BACK)
    if many:
        late = since_command(fleet.plane.access.audit(position))
        _say(f"{len(many)} commands at once to traffic", str(late))


def _bad(fleet: Fleet) -> None:
    fleet.start("v4")
    fleet.await_weight("v4", 10)
    position = fleet.plane.access.audit_position()
    fleet.exporter.bad, turned = True, time.time()
    fleet.await_phase("v4", Phase.ROLLED_BACK)
    fleet.exporter.bad = False
    calls = list(fleet.plane.access.audit(position))
    verdicts = since_verdict(calls, fleet.releases("v4"))
    _say("bad block to traffic", str(verdicts))
    _say(f"bad metric to traffic (interval {INTERVAL:g} s)", str(since(calls, turned)))


def _say(what: str, figure: str) -> None:
    print(f"  {what:44} {figure}", flush=True)


if __name__ == "__main__":
    main()
