"""Whoever reads what a command prints may stop early, as `head` does: that is no error."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.system


@pytest.mark.parametrize("command", ["crds", "version"], ids=["more than a pipe holds", "a line"])
def test_a_reader_who_has_had_enough_is_no_error(command: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "rollout", command],
            stdout=gone,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
