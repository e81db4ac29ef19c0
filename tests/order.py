"""The order of the tests when they run side by side, so that no core waits and none is crowded.

Each process begins with an equal part of the list, one behind the other. Scenarios need a little of
a core for long; where they lie together, processes wait side by side and cores stand still. So they
are dealt over the whole list, between modules that compute.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import pytest

WAITING: Final = "tests/scenarios/"


def dealt(items: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
    """Give all items, with those that wait between the modules of the others.

    Never within a module, whose tests share fixtures.
    """
    slow, quick = list[pytest.Item](), list[pytest.Item]()
    for item in items:
        (slow if item.nodeid.startswith(WAITING) else quick).append(item)
    given = 0
    for number, item in enumerate(quick, 1):
        yield item
        if number == len(quick) or item.path != quick[number].path:
            due = len(slow) * number // len(quick)
            yield from slow[given:due]
            given = due
    yield from slow[given:]
