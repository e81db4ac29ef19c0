"""What a model has against a value, said for people: the field, the value, what would be right."""

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, TypeAlias

from pydantic import ValidationError

from rollout.resources.image import NOT_A_VERSION

Location: TypeAlias = tuple[int | str, ...]
TAGS: Final = frozenset({"Ratio", "Latency", "Value", "Prometheus", "Scrape"})
"""Names of union members: pydantic puts them into places, people do not."""
QUOTED: Final = re.compile(r"'([^']*)'")
LONGEST: Final = 60

WHOLE: Final = "whole number: write one such as 3"
NUMBER: Final = "number: write one such as 0.05"
LIST: Final = "list: begin each of its items with -"
FIELDS: Final = "group of fields: write them below it"
KINDS: Final[Mapping[str, str]] = {
    "int_type": WHOLE,
    "int_parsing": WHOLE,
    "int_from_float": WHOLE,
    "float_type": NUMBER,
    "float_parsing": NUMBER,
    "finite_number": NUMBER,
    "string_type": "text: put it in quotes",
    "bool_type": "truth value: write true or false",
    "bool_parsing": "truth value: write true or false",
    "list_type": LIST,
    "tuple_type": LIST,
    "dict_type": FIELDS,
    "model_type": FIELDS,
    "model_attributes_type": FIELDS,
}
"""What a value is not, and how to write it, by pydantic's type of error."""

BOUNDS: Final[Mapping[str, tuple[str, str]]] = {
    "less_than_equal": ("le", "write {} or less"),
    "less_than": ("lt", "write less than {}"),
    "greater_than_equal": ("ge", "write {} or more"),
    "greater_than": ("gt", "write more than {}"),
    "string_too_long": ("max_length", "write {} characters or less"),
    "string_too_short": ("min_length", "write {} characters or more"),
    "too_long": ("max_length", "have {} items or less"),
    "too_short": ("min_length", "have {} items or more"),
}

PATTERNS: Final[Mapping[str, str]] = {
    r"^/[^\s]+$": "the whole path of a file, from / on and without spaces",
    r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$": "lower-case letters, digits, - and ., none of these two "
    "at an end",
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$": "lower-case letters, digits and -, no - at an end",
    r"^[-._a-zA-Z0-9]+$": "letters, digits, -, _ and .",
    r"^[-a-zA-Z0-9.]+$": "letters, digits, - and .",
    r"^[A-Za-z0-9-]+$": "letters, digits and -",
    r"^[^:\s]+$": "a name without : and spaces",
    r"^[!-~]+$": "letters, digits and signs of ASCII, without spaces",
    r"^[\x21-\x7e]+$": "letters, digits and signs of ASCII, without spaces",
    r"^([0-9]+|[0-9]+%)$": "a count such as 3, or a share such as 50%",
    r"^[A-Za-z0-9_][A-Za-z0-9_./:@-]*$": NOT_A_VERSION.partition(": write ")[2],
    r"^https?://[^/?#\s]+[^?#\s]*$": "a URL such as http://prometheus.monitoring:9090, without "
    "? and #",
    r"^[a-zA-Z_:][a-zA-Z0-9_:]*$": "the name of a metric, such as http_requests_total",
    r"^[a-zA-Z_][a-zA-Z0-9_]*$": "the name of a label: letters, digits and _, no digit in front",
}
"""What a text has to be, by the pattern that it does not match."""


def lines(error: ValidationError) -> list[str]:
    """Say every fault as `field: what is wrong and what would be right`."""
    return [f"{where}: {said}" if where else said for where, said in _told(error)]


def sentence(error: ValidationError) -> str:
    """Say every fault in one line."""
    return "; ".join(lines(error))


def _told(error: ValidationError) -> Iterator[tuple[str, str]]:
    for location, one in found(error):
        yield path(location), worded(one)


def found(error: ValidationError) -> Iterator[tuple[Location, Mapping[str, Any]]]:
    """Give each fault with its place; no list is called too short for items that have faults."""
    faults = [(place(one["loc"]), dict(one)) for one in error.errors(include_url=False)]
    for location, one in faults:
        inside = any(at[: len(location)] == location != at for at, _ in faults)
        if not (one["type"] == "too_short" and inside):
            yield location, one


def place(location: Location) -> Location:
    """Give the place of a fault as the object has it, without the names of union members."""
    return tuple(part for at, part in enumerate(location) if not at or part not in TAGS)


def path(location: Location) -> str:
    """Write a place as people write it: `spec.metrics[1].bounds`."""
    said = ""
    for part in location:
        said += f"[{part}]" if isinstance(part, int) else f".{part}" if said else str(part)
    return said


def worded(fault: Mapping[str, Any]) -> str:
    """Word one error of pydantic (an item of `errors()`) without its own words."""
    type_, value, context = fault["type"], fault.get("input"), fault.get("ctx") or {}
    match type_:
        case "missing" | "union_tag_not_found":
            said = f"it needs {'kind' if type_ != 'missing' else 'a value'}: write it"
        case "union_tag_invalid":
            tag, *known = QUOTED.findall(fault["msg"].replace("'kind'", ""))
            said = f"there is no kind {tag!r}: {nearest(tag, known)}"
        case "extra_forbidden":
            said = "there is no such field: remove it"
        case "literal_error" | "enum":
            known = QUOTED.findall(str(context["expected"]))
            said = f"{shown(value)} is none of its values: {nearest(str(value), known)}"
        case "string_pattern_mismatch":
            wanted = PATTERNS.get(context["pattern"], f"what matches {context['pattern']}")
            said = f"{shown(value)} does not fit: write {wanted}"
        case _ if type_ in KINDS:
            said = f"{shown(value)} is no {KINDS[type_]}"
        case _ if type_ in BOUNDS:
            said = _out_of_bounds(BOUNDS[type_], value, context)
        case _:
            said = _own_words(str(fault["msg"]).removeprefix("Value error, "), value)
    return said


def _out_of_bounds(bound: tuple[str, str], value: Any, context: Mapping[str, Any]) -> str:
    key, fix = bound
    limit = context[key]
    said = fix.format(f"{limit:g}" if isinstance(limit, float) else limit)
    if key.endswith("_length"):
        return f"it is {len(value)} long: {said}"
    return f"{shown(value)} is out of bounds: {said}"


def _own_words(said: str, value: Any) -> str:
    """Words of our own; with the value, where it is a short one that they do not name."""
    if isinstance(value, str | int | float) and shown(value) not in said:
        return f"{shown(value)}: {said}"
    return said


def shown(value: Any) -> str:
    """Show a value as it came in, cut where it is long."""
    said = repr(value)
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}..."


def nearest(name: str, known: Iterable[str]) -> str:
    """Name the nearest right name, or all when none is near."""
    names = {one.lower(): one for one in known}
    near = get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {names[near[0]]}?"
    return f"these are: {', '.join(sorted(names.values()))}" if names else "remove it"
