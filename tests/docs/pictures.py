"""Draws the pictures of docs/architecture.md from the code, so that they cannot lie.

`python -m tests.docs.pictures` rewrites the blocks between the markers; a test fails when the
committed page differs.
"""

import re
import tomllib
from pathlib import Path

from rollout.engine.phases import MOVES
from rollout.resources.release import Phase

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "architecture.md"


def phases() -> str:
    """Draw the table of legal moves."""
    lines = ["stateDiagram-v2", f"    [*] --> {Phase.PENDING.value}"]
    for before, after in MOVES.items():
        lines += [f"    {before.value} --> {p.value}" for p in sorted(after, key=list(Phase).index)]
    lines += [f"    {phase.value} --> [*]" for phase in Phase if phase.ended]
    return "\n".join(lines)


def layers() -> str:
    """Draw the import contract: a layer may import those below it, never those above."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    rows = next(c["layers"] for c in contracts if c["type"] == "layers")
    names = [[part.strip().removeprefix("rollout.") for part in row.split("|")] for row in rows]
    lines = ["flowchart TD"]
    lines += [f'    L{i}["{" · ".join(row)}"]' for i, row in enumerate(names)]
    lines += [f"    L{i} --> L{i + 1}" for i in range(len(names) - 1)]
    return "\n".join(lines)


def drawn(page: str) -> str:
    """Return a page with its pictures drawn anew."""
    for name, picture in (("phases", phases()), ("layers", layers())):
        block = f"<!-- {name} -->\n```mermaid\n{picture}\n```\n<!-- /{name} -->"
        page = re.sub(f"<!-- {name} -->.*?<!-- /{name} -->", block, page, flags=re.DOTALL)
    return page


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text()))
