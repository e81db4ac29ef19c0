"""The order of the tests: nothing is lost, and what waits lies between what computes."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.order import dealt

A, B, C, D = (f"tests/{name}/test_it.py" for name in "abcd")
SYSTEM = "tests/system/test_it.py"
SCENARIO, COMMIT = "tests/scenarios/test_s.py", "tests/scenarios/test_t.py"


class Item:
    """As much of a collected test as the order looks at."""

    def __init__(self, path: str, number: int) -> None:
        self.path = Path(path)
        self.nodeid = f"{path}::test_{number}"


def paths(hands: int, **modules: int) -> list[str]:
    """Give the modules' paths in the order of their tests, of which there are so many in each."""
    given: Any = [Item(globals()[name], n) for name, count in modules.items() for n in range(count)]
    found = list(dealt(given, hands))
    assert Counter(map(id, found)) == Counter(map(id, given))
    return [str(item.path) for item in found]


def test_modules_are_dealt_one_to_each_process() -> None:
    assert paths(2, A=2, B=1, C=1, D=2) == [A, A, C, B, D, D]


def test_what_takes_longest_is_begun_first() -> None:
    assert paths(1, A=1, B=1, SYSTEM=2) == [SYSTEM, SYSTEM, A, B]


def test_scenarios_are_dealt_between_modules() -> None:
    found = paths(1, A=4, SCENARIO=5, B=8, COMMIT=1)
    assert found == [A] * 4 + [SCENARIO] * 2 + [B] * 8 + [SCENARIO] * 3 + [COMMIT]


@pytest.mark.parametrize("hands", [1, 2, 7])
def test_scenarios_alone_stay_as_they_are(hands: int) -> None:
    assert paths(hands, SCENARIO=3, COMMIT=2) == [SCENARIO] * 3 + [COMMIT] * 2


@pytest.mark.parametrize("hands", [1, 3, 60])
def test_no_test_is_lost_or_run_twice(hands: int) -> None:
    assert len(paths(hands, A=5, B=1, SCENARIO=9, C=30, D=2, SYSTEM=4, COMMIT=1)) == 52
