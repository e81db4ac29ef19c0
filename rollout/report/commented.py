"""Objects as YAML with comments: the schema's own words about each field stand above it."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

WIDTH: Final = 98


def commented(
    value: Mapping[str, Any], schema: Mapping[str, Any], indent: int = 0
) -> Iterator[str]:
    """Give the lines of a mapping; `schema` is that of its CustomResourceDefinition."""
    known = schema.get("properties") or {}
    for key, item in value.items():
        inner = known.get(key) or {}
        yield from comment(str(inner.get("description", "")), indent)
        yield from _entry(key, item, inner, indent)


def comment(text: str, indent: int = 0) -> Iterator[str]:
    """Give a sentence as lines of a comment."""
    lead = f"{'':{indent}}# "
    yield from textwrap.wrap(
        text,
        WIDTH,
        initial_indent=lead,
        subsequent_indent=lead,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _entry(key: str, item: Any, schema: Mapping[str, Any], indent: int) -> Iterator[str]:
    lead = f"{'':{indent}}{key}:"
    if isinstance(item, Mapping) and item:
        yield lead
        yield from commented(item, schema, indent + 2)
    elif isinstance(item, list) and item and isinstance(item[0], Mapping):
        yield lead
        yield from _items(item, schema.get("items") or {}, indent + 2)
    else:
        yield f"{lead} {_flow(item)}"


def _items(items: list[Any], schema: Mapping[str, Any], indent: int) -> Iterator[str]:
    """Give the items of a list; each field is told where it stands for the first time."""
    untold = dict(schema.get("properties") or {})
    for item in items:
        lines = list(commented(item, {"properties": untold}, indent + 2))
        untold = {key: field for key, field in untold.items() if key not in item}
        first = next(i for i, line in enumerate(lines) if not line.lstrip().startswith("#"))
        lines[first] = f"{'':{indent}}- {lines[first].lstrip()}"
        yield from lines


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")
