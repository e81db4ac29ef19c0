"""Label selectors and field selectors: parsing of their text and matching of objects."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

from rollout.resources.writes import Object
from rollout.simulate.objects import dig
from rollout.simulate.refusals import bad_request

LabelTest: TypeAlias = Callable[[Mapping[str, str]], bool]
ObjectTest: TypeAlias = Callable[[Object], bool]

_SET: Final = re.compile(
    r"^\s*(?P<key>[^\s!=,()]+)\s+(?P<verb>in|notin)\s+\((?P<values>[^)]*)\)\s*$"
)
_EQUALS: Final = re.compile(
    r"^\s*(?P<key>[^\s!=,()]+)\s*(?P<verb>==|!=|=)\s*(?P<value>[^\s=!,()]*)\s*$"
)
_EXISTS: Final = re.compile(r"^\s*(?P<no>!?)\s*(?P<key>[^\s!=,()]+)\s*$")
_STRANGE: Final = re.compile(r"[^-A-Za-z0-9_./]")
_COMMA: Final = re.compile(r",(?![^(]*\))")


@lru_cache(maxsize=1024)
def label_test(selector: str) -> LabelTest:
    """A test of labels for the text of a selector, such as `app=web,track!=candidate`.

    Raises Refused (400) when the text cannot be read.
    """
    tests = [_requirement(part) for part in _COMMA.split(selector) if part.strip()]
    return lambda labels: all(test(labels) for test in tests)


def _requirement(text: str) -> LabelTest:
    if match := _SET.match(text):
        values = frozenset(value.strip() for value in match["values"].split(","))
        return _membership(match["key"], values, wanted=match["verb"] == "in")
    if match := _EQUALS.match(text):
        return _membership(match["key"], frozenset({match["value"]}), wanted=match["verb"] != "!=")
    if match := _EXISTS.match(text):
        return _existence(match["key"], wanted=not match["no"])
    found = _STRANGE.search(text.strip().lstrip("!").partition("=")[2].lstrip("=") or text)
    word = found[0] if found else text.strip()
    raise bad_request(f"unable to parse requirement: found '{word}', expected: identifier")


def _membership(key: str, values: frozenset[str], *, wanted: bool) -> LabelTest:
    return lambda labels: (labels.get(key) in values) == wanted


def _existence(key: str, *, wanted: bool) -> LabelTest:
    return lambda labels: (key in labels) == wanted


def matches_map(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether the labels contain the whole of a plain selector, as that of a Service."""
    return all(labels.get(key) == value for key, value in selector.items())


def matches_structure(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether the labels satisfy `matchLabels` and `matchExpressions`."""
    return matches_map(selector.get("matchLabels") or {}, labels) and all(
        _expression(expression)(labels) for expression in selector.get("matchExpressions") or ()
    )


def _expression(expression: Mapping[str, Any]) -> LabelTest:
    key, verb = expression["key"], expression["operator"]
    if verb in ("In", "NotIn"):
        return _membership(key, frozenset(expression.get("values") or ()), wanted=verb == "In")
    return _existence(key, wanted=verb == "Exists")


def field_test(selector: str) -> ObjectTest:
    """A test of objects for a field selector, such as `status.phase=Running`.

    Raises Refused (400) when the text cannot be read.
    """
    tests = [_field_requirement(part) for part in selector.split(",") if part.strip()]
    return lambda obj: all(test(obj) for test in tests)


def field_paths(selector: str) -> list[str]:
    """The fields that a selector names. Raises Refused (400) when the text cannot be read."""
    return [_field_match(part)["key"] for part in selector.split(",") if part.strip()]


def _field_match(text: str) -> re.Match[str]:
    match = _EQUALS.match(text)
    if match is None:
        raise bad_request(f"invalid selector: {text!r}; can't understand {text!r}")
    return match


def _field_requirement(text: str) -> ObjectTest:
    match = _field_match(text)
    path, value, wanted = match["key"].split("."), match["value"], match["verb"] != "!="
    return lambda obj: (str(_field(obj, path)) == value) == wanted


def _field(obj: Object, path: list[str]) -> Any:
    value = dig(obj, *path)
    return "" if value is None else value
