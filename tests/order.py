"""The order of the tests when they run side by side, so that no core waits and none is crowded.

Each worker begins with an equal part of the list, one behind the other, and takes from others when
its own is done. So each part has the longest tests first, or they would be left for the end; and
behind them scenarios, which need a little of a core for long, between modules that compute.
"""

from collections.abc import Iterator
from typing import Final, TypeVar

import pytest

T = TypeVar("T")
LONGEST: Final = (
    "tests/system/test_readme.py",
    "tests/examples/test_readme.py",
    "tests/docs/test_examples.py",
    "tests/docs/test_tutorial.py",
    "tests/convert/test_cutover.py",
    "tests/docs/test_guides.py",
    "tests/examples/test_scripts.py",
    "tests/charts/test_use.py",
    "tests/gitops/test_argocd.py",
    "tests/docs/test_cluster_pages.py",
    "tests/examples/test_overlays.py",
    "tests/faults/",
    "tests/install/test_upgrade.py",
    "tests/charts/test_pages.py",
    "tests/bench/",
    "tests/gitops/test_flux.py",
)
"""Modules whose tests take up to two minutes each, the longest first."""
WAITING: Final = "tests/scenarios/"


def ordered(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """Give all items, in as many parts of equal length as there are workers."""
    long = [[item for item in items if item.nodeid.startswith(name)] for name in LONGEST]
    waiting = [item for item in items if item.nodeid.startswith(WAITING)]
    known = {*waiting, *(item for module in long for item in module)}
    others = iter([item for item in items if item not in known])
    result = list[pytest.Item]()
    for number in range(workers):
        first = [item for module in long[number::workers] for item in module]
        slow = _part(waiting, number, workers)
        size = (len(items) - len(result)) // (workers - number)  # as xdist's "worksteal" does
        room = size - len(first) - len(slow)
        quick = [item for _, item in zip(range(room), others, strict=False)]
        result += [*first, *_dealt(slow, quick)]
    return result + list(others)


def _part(items: list[T], number: int, parts: int) -> list[T]:
    return items[len(items) * number // parts : len(items) * (number + 1) // parts]


def _dealt(slow: list[pytest.Item], quick: list[pytest.Item]) -> Iterator[pytest.Item]:
    """Put the slow ones between the modules of the quick ones, which share fixtures."""
    dealt = 0
    for number, item in enumerate(quick, 1):
        yield item
        if number == len(quick) or item.path != quick[number].path:
            due = len(slow) * number // len(quick)
            yield from slow[dealt:due]
            dealt = due
    yield from slow[dealt:]
