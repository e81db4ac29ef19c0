"""What a chart's values are, and the tables of its README: `python -m tests.charts.values`.

A row for each value that the schema does not look into any further, with the default and the
comment of `values.yaml`, and one for what has a comment on all below it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.charts.helm import CHARTS

NAMES: Final = ("gemini-agent", "rollout")
BEGIN: Final = "<!-- values: python -m tests.charts.values -->\n"
ALL: Final = object()
"""Stands for the default of what has values below it."""
LONG: Final = 60
"""Characters of a default that is shown; a longer one is to be read in the file."""


@dataclass(frozen=True)
class Value:
    """A value by its path, such as `image.tag`."""

    path: str
    default: Any
    comment: str

    @property
    def row(self) -> str:
        """Its row of the table."""
        return f"| `{self.path}` | {self._shown()} | {self.comment} |"

    def _shown(self) -> str:
        if self.default is ALL:
            return ""
        shown = json.dumps(self.default)
        return f"`{shown}`" if len(shown) <= LONG else "see values.yaml"


def values(chart: Path) -> Iterator[Value]:
    """Give all of them, in the order of the file."""
    text = (chart / "values.yaml").read_text()
    schema = json.loads((chart / "values.schema.json").read_text())
    said = dict(comments(text))
    for path, default in entries(yaml.safe_load(text), schema, ()):
        comment = said.get(path, "")
        if comment or default is not ALL:
            yield Value(".".join(path), default, comment)


def entries(
    body: Mapping[str, Any], schema: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Give what the schema names, with the default of what it does not look into."""
    for name, value in body.items():
        inner = schema["properties"][name]
        if "properties" in inner:
            yield (*path, name), ALL
            yield from entries(value, inner, (*path, name))
        else:
            yield (*path, name), value


def comments(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Give the comment above each key that has one."""
    path: list[str] = []
    above: list[str] = []
    for line in text.splitlines():
        found = re.match(r"( *)(?:# (?P<said>.*)|(?P<key>\w+):)", line)
        if found is None:
            above = []
        elif found["key"] is None:
            above.append(found["said"])
        else:
            path[len(found[1]) // 2 :] = [found["key"]]
            yield tuple(path), " ".join(above)
            above = []


def readme(chart: Path) -> str:
    """Give the README as it must be."""
    head = (chart / "README.md").read_text().partition(BEGIN)[0]
    rows = "\n".join(value.row for value in values(chart))
    return f"{head}{BEGIN}\n| value | default | what it is |\n|---|---|---|\n{rows}\n"


def main() -> None:
    """Write the tables."""
    for name in NAMES:
        (CHARTS / name / "README.md").write_text(readme(CHARTS / name))


if __name__ == "__main__":
    main()
