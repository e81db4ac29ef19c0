"""YAML with the schema's words above each field."""

import yaml

from rollout.report.commented import comment, commented

SCHEMA = {
    "properties": {
        "a": {"description": "The first."},
        "b": {
            "description": "Some.",
            "items": {"properties": {"c": {"description": "See."}, "d": {"description": "Dee."}}},
        },
    }
}


def test_each_field_is_told_once_where_it_stands_first() -> None:
    value = {"a": {}, "b": [{"c": 1}, {"c": 2, "d": "x: y"}]}
    lines = list(commented(value, SCHEMA))
    assert lines == [
        "# The first.",
        "a: {}",
        "# Some.",
        "b:",
        "    # See.",
        "  - c: 1",
        "  - c: 2",
        "    # Dee.",
        "    d: 'x: y'",
    ]
    assert yaml.safe_load("\n".join(lines)) == value


def test_a_long_sentence_is_folded() -> None:
    lines = list(comment("word " * 40, 4))
    assert len(lines) > 1
    assert all(line.startswith("    # ") and len(line) <= 98 for line in lines)
