"""The order of the tests: nothing is lost, and what is heavy and what waits are in every part."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.order import HEAVY, dealt

ROOT = Path(__file__).parent.parent
A, B, C, D = (f"tests/{name}/test_it.py" for name in "abcd")
README, PAGES = HEAVY[0], HEAVY[2]
SCENARIO, COMMIT = "tests/scenarios/test_s.py", "tests/scenarios/test_t.py"


class Item:
    """As much of a collected test as the order looks at."""

    def __init__(self, path: str, number: int) -> None:
        self.path = Path(path)
        self.nodeid = f"{path}::test_{number}"


def paths(hands: int, *modules: tuple[str, int]) -> list[str]:
    """Give the modules' paths in the order of their tests, of which there are so many in each."""
    given: Any = [Item(path, number) for path, count in modules for number in range(count)]
    found = dealt(given, hands)
    assert Counter(map(id, found)) == Counter(map(id, given))
    return [str(item.path) for item in found]


def test_heavy_modules_are_spread_over_the_light_ones_but_for_the_end() -> None:
    found = paths(1, (A, 2), (PAGES, 3), (B, 2), (C, 2), (D, 4), (README, 1))
    assert found == [README, A, A, B, B, *[PAGES] * 3, C, C, D, D, D, D]


def test_each_part_has_its_share_of_what_is_heavy_and_of_what_waits() -> None:
    found = paths(2, (A, 3), (PAGES, 1), (B, 3), (README, 1), (SCENARIO, 3), (COMMIT, 1))
    assert found[:6] == [SCENARIO, README, A, A, A, SCENARIO]
    assert found[6:] == [SCENARIO, PAGES, B, B, B, COMMIT]


def test_scenarios_are_spread_one_by_one_between_modules() -> None:
    found = paths(1, (A, 4), (SCENARIO, 3), (B, 4), (COMMIT, 1))
    assert found == [SCENARIO, *[A] * 4, SCENARIO, SCENARIO, *[B] * 4, COMMIT]


def test_scenarios_alone_stay_as_they_are() -> None:
    assert paths(1, (SCENARIO, 3), (COMMIT, 2)) == [SCENARIO] * 3 + [COMMIT] * 2


@pytest.mark.parametrize("hands", [1, 2, 3, 7, 60])
def test_no_test_is_lost_or_run_twice(hands: int) -> None:
    given = [(README, 4), (A, 5), (B, 1), (SCENARIO, 9), (C, 30), (PAGES, 2), (D, 2), (COMMIT, 1)]
    assert len(paths(hands, *given)) == 54


@pytest.mark.parametrize("name", HEAVY)
def test_what_is_called_heavy_is_there(name: str) -> None:
    assert (ROOT / name).is_file()
