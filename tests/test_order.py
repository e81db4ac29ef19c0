"""The order of the tests: nothing is lost, each part begins with what is long."""

from pathlib import Path

import pytest

from tests.order import LONGEST, ordered

ROOT = Path(__file__).parent


class Item:
    """As much of a collected test as the order looks at."""

    def __init__(self, path: str, number: int) -> None:
        self.path = Path(path)
        self.nodeid = f"{path}::test_{number}"


def items(*modules: tuple[str, int]) -> list[pytest.Item]:
    return [Item(path, number) for path, count in modules for number in range(count)]  # type: ignore[misc]


@pytest.mark.parametrize("workers", [1, 2, 3, 7, 60])
def test_no_test_is_lost_or_told_twice(workers: int) -> None:
    given = items(
        ("tests/a.py", 5), ("tests/scenarios/s.py", 9), (LONGEST[0], 1), (LONGEST[3], 4),
        ("tests/b.py", 30),
    )  # fmt: skip
    found = ordered(given, workers)
    assert len(found) == len(given)
    assert set(found) == set(given)


def test_each_part_begins_with_what_is_long_and_mixes_the_rest() -> None:
    given = items(
        ("tests/a.py", 8), ("tests/b.py", 8), ("tests/scenarios/s.py", 8), (LONGEST[0], 2),
        (LONGEST[1], 2),
    )  # fmt: skip
    names = [str(item.path) for item in ordered(given, 2)]
    assert names[:2] == [LONGEST[0]] * 2
    assert names[14:16] == [LONGEST[1]] * 2
    assert names[2:14] == ["tests/a.py"] * 8 + ["tests/scenarios/s.py"] * 4
    assert names[16:] == ["tests/b.py"] * 8 + ["tests/scenarios/s.py"] * 4


@pytest.mark.parametrize("name", LONGEST)
def test_what_is_called_long_is_there(name: str) -> None:
    assert (ROOT.parent / name).exists()
