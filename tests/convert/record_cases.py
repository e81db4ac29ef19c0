"""Writes what each case becomes: `python -m tests.convert.record_cases`, then read the diff."""

from rollout.convert.conversion import Conversion, convert
from rollout.convert.documents import documents
from rollout.convert.ledger import Fate
from tests.convert import CASES


def told(found: Conversion) -> str:
    """Say what was not simply converted, a line each."""
    kept = found.with_fate(Fate.NO_EQUAL, Fate.ASSUMED, Fate.NOT_NEEDED)
    return "".join(f"{one.fate} {one.object}: {one.field or 'all'}: {one.what}\n" for one in kept)


def moves(found: Conversion) -> str:
    """Say the commands that move what was converted."""
    return "".join(f"{move.command}\n" for _, steps in found.steps for move in steps)


def main() -> None:
    """Write all anew."""
    for case in CASES:
        found = convert(documents(case.read_text(), case.name))
        folder = case.parent / "expected"
        (folder / case.name).write_text(found.text)
        (folder / f"{case.stem}.txt").write_text(f"{told(found)}\n{moves(found)}")


if __name__ == "__main__":
    main()
