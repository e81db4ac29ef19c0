"""How often the judge is wrong and how fast it is right: `python -m tests.bench.judge`.

Prints two tables: the share of healthy releases that are rolled back (the bound is alpha over
the whole release), and how long it takes until a regression is found.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import pi, sin
from statistics import median

from rollout.resources.duration import seconds
from rollout.resources.policy import RolloutPolicySpec
from tests.bench.releases import Traffic, Version, first_fail, seeded, steady

QUICK = RolloutPolicySpec(interval=seconds(1), minimum_requests=50)
CALM = RolloutPolicySpec()
DEMO = ((20, 30.0), (50, 30.0))
USUAL = ((5, 60.0), (20, 60.0), (50, 60.0))
LATE = "latency>0.25s"


@dataclass(frozen=True)
class Case:
    """One row of a table."""

    name: str
    policy: RolloutPolicySpec
    traffic: Traffic
    stable: Version
    candidate: Version


def same(name: str, policy: RolloutPolicySpec, traffic: Traffic, version: Version) -> Case:
    """Give a release in which both versions are the same."""
    return Case(name, policy, traffic, version, version)


def waves(seconds_: float) -> float:
    """Give an error rate that swings between 0 and 20 %, the same for both versions."""
    return 0.1 + 0.1 * sin(2 * pi * seconds_ / 90)


CLEAN = Version({})
USUAL_ERRORS = Version({"errors": steady(0.001), LATE: steady(0.02)})
MANY_ERRORS = Version({"errors": steady(0.1), LATE: steady(0.3)})
SWINGING = Version({"errors": waves, LATE: waves})

HEALTHY = (
    same("0.1 % errors, 50 rps, each 1 s", QUICK, Traffic(50, DEMO), USUAL_ERRORS),
    same("10 % errors, 50 rps, each 1 s", QUICK, Traffic(50, DEMO), MANY_ERRORS),
    same("errors swing 0 to 20 %, 50 rps, each 1 s", QUICK, Traffic(50, DEMO), SWINGING),
    same("10 % errors, 5 rps, each 10 s", CALM, Traffic(5, USUAL), MANY_ERRORS),
    same("errors swing 0 to 20 %, 50 rps, each 10 s", CALM, Traffic(50, USUAL), SWINGING),
    same("10 % errors, 500 rps, each 10 s", CALM, Traffic(500, USUAL), MANY_ERRORS),
)
BOUNDARY = Version({"errors": steady(0.1 * 1.1 + 0.001), LATE: steady(0.3 * 1.1 + 0.005)})
ON_MARGIN = (
    Case("just on the margin, 50 rps, each 1 s", QUICK, Traffic(50, DEMO), MANY_ERRORS, BOUNDARY),
)


def bad(name: str, rps: float, weight: int, candidate: Version) -> Case:
    """Give a release of two minutes at one weight, looked at each second."""
    return Case(name, QUICK, Traffic(rps, ((weight, 120.0),)), CLEAN, candidate)


FIVE = Version({"errors": steady(0.05)})
SLOW = Version({LATE: steady(0.1)})
ALL = Version({"errors": steady(1.0)})
HARMFUL = (
    bad("5 % errors, 50 rps, weight 5", 50, 5, FIVE),
    bad("5 % errors, 50 rps, weight 20", 50, 20, FIVE),
    bad("5 % errors, 50 rps, weight 50", 50, 50, FIVE),
    bad("5 % errors, 100 rps, weight 20", 100, 20, FIVE),
    bad("5 % errors, 100 rps, weight 50", 100, 50, FIVE),
    bad("10 % slow, 50 rps, weight 20", 50, 20, SLOW),
    bad("10 % slow, 50 rps, weight 50", 50, 50, SLOW),
    bad("10 % slow, 100 rps, weight 20", 100, 20, SLOW),
    bad("all fail, 50 rps, weight 5", 50, 5, ALL),
    bad("all fail, 50 rps, weight 20", 50, 20, ALL),
    Case(
        "5 % errors over 0.1 %, 50 rps, weight 20",
        QUICK,
        Traffic(50, ((20, 120.0),)),
        USUAL_ERRORS,
        Version({"errors": steady(0.05), LATE: steady(0.02)}),
    ),
)


def outcomes(case: Case, releases: int) -> list[float | None]:
    """Play a case many times, each with its own seed; give the times of the Fails."""
    return [
        first_fail(seeded(seed), case.traffic, case.policy, case.stable, case.candidate)
        for seed in range(releases)
    ]


def false_alarms(case: Case, releases: int) -> str:
    """Give a row of the first table."""
    fails = sum(time_ is not None for time_ in outcomes(case, releases))
    return f"{case.name:45} {fails:5} of {releases}  {100 * fails / releases:6.2f} %"


def detection(case: Case, releases: int) -> str:
    """Give a row of the second table."""
    times = sorted(t for t in outcomes(case, releases) if t is not None)
    if not times:
        return f"{case.name:45} never found"
    late = times[int(0.9 * (len(times) - 1))]
    found = 100 * len(times) / releases
    return f"{case.name:45} {found:5.0f} %  median {median(times):5.1f} s  p90 {late:5.1f} s"


def table(
    title: str, cases: tuple[Case, ...], row: Callable[[Case, int], str], releases: int
) -> None:
    """Print a table as its rows come out."""
    print(f"\n{title}")
    for case in cases:
        began = time.perf_counter()
        print(f"  {row(case, releases)}   ({time.perf_counter() - began:.1f} s)", flush=True)


def main(releases: int) -> None:
    """Print all tables."""
    table("Healthy releases rolled back (alpha 1 %)", HEALTHY + ON_MARGIN, false_alarms, releases)
    table("Time until a regression is found", HARMFUL, detection, max(20, releases // 5))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
