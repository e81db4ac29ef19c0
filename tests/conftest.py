"""Fixtures and options that more than one folder of tests uses."""

import gc
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.order import dealt

pytest_plugins = ["tests.controlplane.fixtures"]

WHOLE_MODULE = re.compile(r"^pytestmark = .*$", re.MULTILINE)
MARK = re.compile(r"pytest\.mark\.(\w+)")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer what takes too long for every run."""
    parser.addoption(
        "--to-the-end",
        action="store_true",
        help="tell each cut story to its end, also where it goes on as one that was told before",
    )


def pytest_configure() -> None:
    """Let Ctrl-C end what tests start, also where it is ignored, as it is behind a shell's `&`.

    A handler of ours becomes the default in a new program; that it is ignored would be inherited.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out modules that have nothing of what is asked for: to read them takes seconds.

    Where real parts are not asked for: those that are wholly of real parts. Where only some marks
    are: those that do not even have the word.
    """
    asked = config.option.markexpr
    if collection_path.suffix != ".py" or not collection_path.name.startswith("test_"):
        return None
    text = collection_path.read_text()
    if asked.startswith("not ("):
        marks = WHOLE_MODULE.search(text)
        return True if marks and any(mark in asked for mark in MARK.findall(marks[0])) else None
    wanted = asked.split(" or ")
    named = not all(map(str.isidentifier, wanted)) or any(mark in text for mark in wanted)
    return None if named else True


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put tests in order for many processes, and have the collector of garbage skip what is there.

    A process that has collected all tests holds 170,000 objects, which are never garbage.
    """
    worker: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker is not None:
        items[:] = dealt(items, worker["workercount"])
    gc.collect()
    gc.freeze()


@pytest.fixture
def to_the_end(request: pytest.FixtureRequest) -> bool:
    """Whether stories are told on from states that were met before."""
    return bool(request.config.getoption("--to-the-end"))
