"""What is not asked for by its own name is found at the end, however deep it stands."""

from typing import Any

import pytest

from rollout.convert.ledger import UNKNOWN, Fate, Ledger, Source


def fates(body: dict[str, Any], settle: Any) -> dict[str, Fate]:
    ledger = Ledger("it.yaml, document 1", "Rollout it", body)
    settle(Source(ledger, (), body))
    found = ledger.close()
    assert all(one.what == UNKNOWN for one in found if one.fate is Fate.NO_EQUAL)
    return {one.field: one.fate for one in found}


@pytest.mark.parametrize("value", [5, "x", True, [], {}, ["a", "b"]])
def test_a_plain_value_is_settled_by_the_name_of_its_field(value: Any) -> None:
    assert fates({"a": value}, lambda one: one.take("a")) == {"a": Fate.CONVERTED}
    assert fates({"a": value}, lambda one: one.assume("a", "near")) == {"a": Fate.ASSUMED}


@pytest.mark.parametrize(
    ("value", "inside"), [({"b": 5}, "a.b"), ([{"b": 5}], "a[0].b"), ([[5]], "a[0][0]")]
)
def test_a_mapping_is_not_settled_by_the_name_of_its_field(value: Any, inside: str) -> None:
    assert fates({"a": value}, lambda one: one.take("a")) == {inside: Fate.NO_EQUAL}
    assert fates({"a": value}, lambda one: one.assume("a", "near")) == {inside: Fate.NO_EQUAL}


def test_what_is_handed_on_is_settled_with_all_inside_it() -> None:
    assert fates({"a": {"b": 5}}, lambda one: one.keep("a")) == {"a": Fate.CONVERTED}


def test_of_a_mapping_whose_fields_are_known_the_others_are_found() -> None:
    def settle(one: Source) -> None:
        one.known("a", ("b",), Fate.ASSUMED, "near")

    assert fates({"a": {"b": 5, "c": 6}}, settle) == {"a.b": Fate.ASSUMED, "a.c": Fate.NO_EQUAL}
    assert fates({"a": {}}, settle) == {"a": Fate.ASSUMED}
