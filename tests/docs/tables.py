"""Tables of Markdown, for the pages that are written from the code."""

import re
from collections.abc import Iterator, Sequence


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Draw a table; nothing where it would be empty."""
    if not rows:
        return
    yield f"\n| {' | '.join(head)} |\n|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell(text) for text in row)} |"


def cell(text: str) -> str:
    """Put a text into one line that no column ends in the middle of."""
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|")
