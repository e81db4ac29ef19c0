r"""The simple JSONPath of printer columns and of the scale subresource.

`.status.phase`, `.spec.steps[0].weight`, `.status.conditions[?(@.type=="Ready")].status`,
`.metadata.annotations.example\.com/owner`, `.spec.steps[*].weight`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

_PART: Final = re.compile(
    r"""\.(?P<name>(?:\\.|[^.\[\\])+)
      | \[\?\(@\.(?P<field>[^=\s]+)\s*==\s*(?P<value>[^\])]+)\)\]
      | \[(?P<index>\d+)\]
      | \[(?P<all>\*)\]
      | \[(?P<quote>['"])(?P<key>.*?)(?P=quote)\]""",
    re.VERBOSE,
)


def find(obj: Any, path: str) -> list[Any]:
    """All values at the path; empty when a part of it is missing.

    Raises ValueError when the path cannot be read.
    """
    values, at = [obj], 0
    while at < len(path):
        part = _PART.match(path, at)
        if part is None:
            raise ValueError(f"cannot read JSONPath {path!r} at position {at}")
        values = [found for value in values for found in _step(value, part)]
        at = part.end()
    return values


def _step(value: Any, part: re.Match[str]) -> Iterable[Any]:
    name = part["name"].replace("\\", "") if part["name"] else part["key"]
    if name:
        if isinstance(value, Mapping) and name in value:
            yield value[name]
    elif isinstance(value, list):
        if part["index"]:
            yield from value[int(part["index"]) :][:1]
        elif part["all"]:
            yield from value
        else:
            yield from _filtered(value, part["field"], part["value"])


def _filtered(items: list[Any], field: str, text: str) -> Iterable[Any]:
    wanted = json.loads(text.strip().replace("'", '"'))
    for item in items:
        if find(item, f".{field}") == [wanted]:
            yield item
