"""The order of the tests when they run side by side, so that no core waits and none is crowded.

Each process begins with an equal part of the list, one behind the other. Modules of one folder are
alike, and heavy folders lie together; scenarios need a little of a core for long. So modules are
dealt like cards, a hand for each process, and scenarios over the whole list, between modules.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final, TypeAlias

import pytest

Module: TypeAlias = list[pytest.Item]
LONGEST: Final = "tests/system/"
"""Begun first: it would keep one process busy for a minute after all others are done."""
WAITING: Final = "tests/scenarios/"


def dealt(items: Iterable[pytest.Item], hands: int) -> Iterator[pytest.Item]:
    """Give all items; those of a module, which share fixtures, stay together."""
    modules = [list(group) for _, group in groupby(items, key=lambda item: item.path)]
    modules.sort(key=lambda module: not module[0].nodeid.startswith(LONGEST))
    waiting = [m for m in modules if m[0].nodeid.startswith(WAITING)]
    others = [m for m in modules if m not in waiting]
    in_hands = [module for hand in range(hands) for module in others[hand::hands]]
    return _mixed(in_hands, [item for module in waiting for item in module])


def _mixed(modules: list[Module], waiting: list[pytest.Item]) -> Iterator[pytest.Item]:
    """Put each of some items behind one of the modules, as evenly as their lengths allow."""
    total, seen, given = sum(map(len, modules)), 0, 0
    for module in modules:
        yield from module
        seen += len(module)
        due = len(waiting) * seen // total
        yield from waiting[given:due]
        given = due
    yield from waiting[given:]
