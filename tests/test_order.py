"""The order of the tests: nothing is lost, and what waits lies between what computes."""

from pathlib import Path
from typing import Any

from tests.order import dealt


class Item:
    """As much of a collected test as the order looks at."""

    def __init__(self, path: str, number: int) -> None:
        self.path = Path(path)
        self.nodeid = f"{path}::test_{number}"


def paths(*modules: tuple[str, int]) -> list[str]:
    given: Any = [Item(path, number) for path, count in modules for number in range(count)]
    found = list(dealt(given))
    assert len(found) == len(given)
    assert set(found) == set(given)
    return [str(item.path) for item in found]


def test_scenarios_are_dealt_between_modules() -> None:
    s, t = "tests/scenarios/test_s.py", "tests/scenarios/test_t.py"
    found = paths(("tests/test_a.py", 4), ("tests/test_b.py", 8), (s, 5), (t, 1))
    assert found == ["tests/test_a.py"] * 4 + [s] * 2 + ["tests/test_b.py"] * 8 + [s] * 3 + [t]


def test_scenarios_alone_stay_as_they_are() -> None:
    s, t = "tests/scenarios/test_s.py", "tests/scenarios/test_t.py"
    assert paths((s, 3), (t, 2)) == [s] * 3 + [t] * 2


def test_more_scenarios_than_others_are_all_there() -> None:
    s = "tests/scenarios/test_s.py"
    assert paths((s, 9), ("tests/test_z.py", 2)) == ["tests/test_z.py"] * 2 + [s] * 9
