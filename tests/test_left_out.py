"""Modules that a run does not even read: none of them has a test that was asked for.

`conftest.py` goes by the words in a module. A mark that comes from elsewhere has no word there, so
the one helper that gives marks to tests of other modules has it in its name.
"""

import re
from pathlib import Path

from tests.engine.play import with_sweep

TESTS = Path(__file__).parent
MARKED = re.compile(r"mark\.(system|controlplane|sweep)\b")


def test_one_helper_gives_marks_to_tests_of_other_modules_and_its_name_has_the_word() -> None:
    modules = (file for file in TESTS.rglob("*.py") if not file.name.startswith("test_"))
    helpers = [file for file in modules if MARKED.search(file.read_text())]
    assert helpers == [TESTS / "engine" / "play.py"]
    assert MARKED.findall(helpers[0].read_text()) == ["sweep"]
    assert "sweep" in with_sweep.__name__
