"""The commands that a page shows."""

import re
from collections.abc import Iterator
from typing import Final

from tests.install.installed import ROOT

SHELL: Final = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(page: str) -> Iterator[str]:
    """Give the commands of a page in `docs/`, without the remarks behind them."""
    for block in SHELL.findall((ROOT / "docs" / page).read_text()):
        for line in block.splitlines():
            yield line.partition("  #")[0].strip()


def command(page: str, beginning: str) -> str:
    """Give the command of a page that begins so. Raises ValueError unless it is exactly one."""
    (found,) = (line for line in commands(page) if line.startswith(beginning))
    return found
