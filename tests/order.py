"""The order of the tests when they run side by side, so that no core waits and none is crowded.

Each process begins with an equal part of the list, one behind the other, and takes from the end of
others' parts when its own is done. In the order of the folders, what computes for minutes lies
together, and so do the scenarios, which need a little of a core for long: first processes are in
each other's way, and then they wait side by side. So both are dealt to all parts, and spread there.
"""

from collections.abc import Sequence
from itertools import groupby
from math import ceil
from typing import Final, TypeAlias

import pytest

Module: TypeAlias = list[pytest.Item]
HEAVY: Final = (
    "tests/system/test_readme.py",  # the first: it would keep one process busy behind all others
    "tests/bench/test_fleet.py",
    "tests/charts/test_pages.py",
    "tests/charts/test_use.py",
    "tests/cli/test_completion.py",
    "tests/convert/test_cutover.py",
    "tests/docs/test_cluster_pages.py",
    "tests/docs/test_examples.py",
    "tests/docs/test_guides.py",
    "tests/docs/test_tutorial.py",
    "tests/examples/test_overlays.py",
    "tests/examples/test_readme.py",
    "tests/examples/test_scripts.py",
    "tests/faults/test_leaders.py",
    "tests/gitops/test_argocd.py",
    "tests/install/test_admission.py",
    "tests/install/test_in_cluster.py",
    "tests/install/test_upgrade.py",
)
"""Modules that take ten seconds of a core or more."""
WAITING: Final = "tests/scenarios/"
BEGUN_BY: Final = 0.85
"""Share of a part behind which nothing heavy begins, or it would go on when all others are done."""


def dealt(items: Sequence[pytest.Item], hands: int) -> list[pytest.Item]:
    """Give all items, in as many parts of equal length as there are hands."""
    modules = _modules(items)
    heavy = [module for name in HEAVY for module in modules if _is_in(module, name)]
    waiting = [[item] for module in modules if _is_in(module, WAITING) for item in module]
    light = [m for m in modules if m not in heavy and not _is_in(m, WAITING)]
    rest = [item for module in light for item in module]
    result = list[pytest.Item]()
    for number in range(hands):
        mine, single = heavy[number::hands], waiting[number::hands]
        size = (len(items) - len(result)) // (hands - number)  # as xdist's "worksteal" does
        room = max(0, size - sum(map(len, mine)) - len(single))
        mixed = _mixed(_mixed(_modules(rest[:room]), mine, BEGUN_BY), single)
        result += [item for module in mixed for item in module]
        rest = rest[room:]
    return result


def _modules(items: Sequence[pytest.Item]) -> list[Module]:
    """Give tests that share fixtures together."""
    return [list(group) for _, group in groupby(items, key=lambda item: item.path)]


def _is_in(module: Module, name: str) -> bool:
    return module[0].nodeid.startswith(name)


def _mixed(modules: list[Module], others: list[Module], share: float = 1.0) -> list[Module]:
    """Put others before modules of the first share, as evenly as the lengths of these allow."""
    mixed, total, seen, given = list[Module](), share * sum(map(len, modules)), 0, 0
    for module in modules:
        due = max(given, ceil(len(others) * (seen + 1) / total))
        mixed += [*others[given:due], module]
        given = due
        seen += len(module)
    return mixed + others[given:]
