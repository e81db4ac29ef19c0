"""The command of the page on performance, for one release that holds a second where it has ten."""

import os
import re
import sys
from pathlib import Path

import pytest

from tests.install.installed import ROOT
from tests.person import Person, command

pytestmark = [pytest.mark.system, pytest.mark.controlplane, pytest.mark.timeout(240)]


@pytest.mark.usefixtures("kubectl_program")  # so that it is built
def test_the_program_that_measures_measures() -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    person = Person(ROOT, {**os.environ, "PATH": path})
    measure = command("docs/performance.md", "python -m tests.bench.fleet")
    assert measure.endswith(" 1 50 200")
    done = person.types(measure.replace(" 1 50 200", " 1 --hold 1 --idle 1"), seconds=200)
    assert done.returncode == 0, done.stdout + done.stderr
    for figure in (
        r"^1 releases at once",
        r"a command to traffic +median +\d",
        r"calls per release +\d\d\.",
        r"bad metric to traffic \(interval 5 s\) +median +\d",
        r"controller memory +\d+ MB",
        r"rollout status +median +\d",
    ):
        assert re.search(figure, done.stdout, re.MULTILINE), f"{figure}\n{done.stdout}"
