"""What a CRD's structural schema does to custom resources: prune, default, refuse.

Its rules in CEL are in `rules`. Messages are those of the real server, so that people see the same
text in practice.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any, Final

import jsonschema

from rollout.resources.writes import Object
from rollout.simulate.objects import EMPTY, Json
from rollout.simulate.refusals import (
    FieldError,
    duplicate,
    invalid,
    required,
    type_invalid,
    unsupported,
)
from rollout.simulate.rules import RULES

PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"
EMBEDDED: Final = "x-kubernetes-embedded-resource"
INT_OR_STRING: Final = "x-kubernetes-int-or-string"
MAP_KEYS: Final = "x-kubernetes-list-map-keys"
LIST_TYPE: Final = "x-kubernetes-list-type"
_SERVERS_OWN: Final = frozenset({"apiVersion", "kind", "metadata"})
_BLOCKING: Final = frozenset(
    {
        "FieldValueNotSupported",
        "FieldValueRequired",
        "FieldValueTooLong",
        "FieldValueTooMany",
        "FieldValueTypeInvalid",
    }
)
_BOUNDS: Final[Mapping[str, str]] = {
    "maximum": "should be less than or equal to {}",
    "exclusiveMaximum": "should be less than {}",
    "minimum": "should be greater than or equal to {}",
    "exclusiveMinimum": "should be greater than {}",
    "pattern": "should match '{}'",
    "minLength": "should be at least {} chars long",
    "minItems": "should have at least {} items",
    "minProperties": "should have at least {} properties",
    "multipleOf": "should be a multiple of {}",
    "format": "must be of type {}",
}
_CHOICES: Final[Mapping[str, str]] = {
    "oneOf": "must validate one and only one schema (oneOf)",
    "anyOf": "must validate at least one schema (anyOf)",
    "not": "must not validate the schema (not)",
}

_formats = jsonschema.FormatChecker(formats=())


@_formats.checks("date-time", raises=ValueError)
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value) is not None


def structural_schema(schema: Object) -> "StructuralSchema":
    """The schema, made once for all of the same words: to check one as large as ours takes 40 ms.

    Raises `jsonschema.SchemaError` when it is none.
    """
    return _made_of(json.dumps(schema))


@lru_cache(maxsize=64)
def _made_of(text: str) -> "StructuralSchema":
    return StructuralSchema(json.loads(text))


class StructuralSchema:
    """One version's schema of a custom kind."""

    def __init__(self, schema: Object) -> None:
        """Take the `openAPIV3Schema`. Raises `jsonschema.SchemaError` when it is none."""
        self._schema = schema
        translated = _translated(schema)
        jsonschema.Draft202012Validator.check_schema(translated)
        self._validator = jsonschema.Draft202012Validator(translated, format_checker=_formats)
        self._has_rules = RULES in json.dumps(schema)

    def shaped(self, obj: Object) -> Json:
        """The object without unknown fields and with defaults."""
        kept: Json = {key: obj[key] for key in _SERVERS_OWN if key in obj}
        rest = {key: value for key, value in obj.items() if key not in _SERVERS_OWN}
        shaped: Json = _defaulted(_pruned(rest, self._schema), self._schema)
        return {**kept, **shaped}

    def unknown(self, obj: Object) -> list[str]:
        """Paths of the fields that the schema does not know."""
        rest = {key: value for key, value in obj.items() if key not in _SERVERS_OWN}
        return list(_unknown(rest, self._schema, ""))

    def status_errors(self, obj: Object) -> list[FieldError]:
        """What the schema has against the status; its sentences begin at the status."""
        if self._status is None or "status" not in obj:
            return []
        found = self._status
        return [
            replace(error, field=f"status.{error.field}") if error.field != "<nil>" else error
            for error in found.errors(obj["status"])
        ]

    @cached_property
    def _status(self) -> "StructuralSchema | None":
        """The status alone."""
        part = (self._schema.get("properties") or EMPTY).get("status")
        if part is None:
            return None
        return structural_schema({**part, **({RULES: []} if self._has_rules else {})})

    def errors(self, obj: Object) -> list[FieldError]:
        """What the schema has against the object."""
        found = [error for fault in self._faults(obj) for error in _field_errors(fault)]
        found += _duplicates(obj, self._schema, "")
        if self._has_rules and any(error.reason in _BLOCKING for error in found):
            found.append(
                invalid(
                    "<nil>",
                    None,
                    "some validation rules were not checked because the object was invalid; "
                    "correct the existing errors to complete validation",
                )
            )
        return found

    def _faults(self, obj: Object) -> Iterator[jsonschema.ValidationError]:
        yield from self._validator.iter_errors(obj)


def _translated(schema: Any) -> Any:
    """The schema in the words of JSON Schema: OpenAPI says nullability and bounds differently."""
    if isinstance(schema, Sequence) and not isinstance(schema, str):
        return [_translated(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    result: Json = {}
    for key, value in schema.items():
        if key in ("properties", "patternProperties"):
            result[key] = {name: _translated(part) for name, part in value.items()}
        elif key not in ("default", "description", "enum", "required"):
            result[key] = _translated(value)
        elif key in ("enum", "required"):
            result[key] = value
    return _with_bounds(_with_types(result, schema))


def _with_types(result: Json, schema: Object) -> Json:
    if schema.get(INT_OR_STRING):
        result.pop("anyOf", None)
        result["type"] = ["integer", "string"]
    if schema.get("nullable") and "type" in result:
        known = result["type"]
        result["type"] = [*([known] if isinstance(known, str) else known), "null"]
        if "enum" in result:
            result["enum"] = [*result["enum"], None]
    return result


def _with_bounds(result: Json) -> Json:
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if result.get(exclusive) is True:
            result[exclusive] = result.pop(bound)
        elif result.get(exclusive) is False:
            del result[exclusive]
    return result


def _pruned(value: Any, schema: Object) -> Any:
    if isinstance(value, Mapping):
        return _pruned_map(value, schema)
    if isinstance(value, list):
        items = schema.get("items") or EMPTY
        return [_pruned(part, items) for part in value]
    return value


def _pruned_map(value: Mapping[str, Any], schema: Object) -> Json:
    properties = schema.get("properties") or EMPTY
    extra = schema.get("additionalProperties")
    preserved = bool(schema.get(PRESERVE))
    kept: Json = {}
    for key, part in value.items():
        if key in properties:
            if (
                part is None
                and "default" in properties[key]
                and not properties[key].get("nullable")
            ):
                continue
            kept[key] = _pruned(part, properties[key])
        elif isinstance(extra, Mapping):
            kept[key] = _pruned(part, extra)
        elif preserved or extra is True or (schema.get(EMBEDDED) and key in _SERVERS_OWN):
            kept[key] = part
    return kept


def _unknown(value: Any, schema: Object, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for index, part in enumerate(value):
            yield from _unknown(part, schema.get("items") or EMPTY, f"{path}[{index}]")
    if not isinstance(value, Mapping) or schema.get(PRESERVE) or schema.get(EMBEDDED):
        return
    properties, extra = schema.get("properties") or EMPTY, schema.get("additionalProperties")
    for key, part in value.items():
        at = f"{path}.{key}".removeprefix(".")
        if key in properties:
            yield from _unknown(part, properties[key], at)
        elif isinstance(extra, Mapping):
            yield from _unknown(part, extra, at)
        elif not extra:
            yield at


def _defaulted(value: Any, schema: Object) -> Any:
    if isinstance(value, Mapping):
        filled = dict(value)
        for name, part in (schema.get("properties") or EMPTY).items():
            if name not in filled and "default" in part:
                filled[name] = part["default"]
            if name in filled:
                filled[name] = _defaulted(filled[name], part)
        extra = schema.get("additionalProperties")
        if isinstance(extra, Mapping):
            known = schema.get("properties") or EMPTY
            for name in filled.keys() - known.keys():
                filled[name] = _defaulted(filled[name], extra)
        return filled
    if isinstance(value, list) and schema.get("items"):
        return [_defaulted(part, schema["items"]) for part in value]
    return value


def _path(parts: Sequence[Any]) -> str:
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def _field_errors(fault: jsonschema.ValidationError) -> Iterator[FieldError]:
    field = _path(fault.absolute_path)
    kind = str(fault.validator)
    value: Any = fault.instance
    limit: Any = fault.validator_value
    if kind == "required":
        missing = [name for name in limit if name not in value]
        # one fault is raised per missing name; its message begins with that name
        name = next((name for name in missing if fault.message.startswith(repr(name))), "")
        yield required(f"{field}.{name}".removeprefix("."))
    elif kind == "type":
        found = _type_name(value)
        expected = limit if isinstance(limit, str) else limit[0]
        yield type_invalid(field, found, f'{field} in body must be of type {expected}: "{found}"')
    elif kind == "enum":
        yield unsupported(field, value, [_word(word) for word in limit if word is not None])
    elif kind == "maxLength":
        text = f"Too long: may not be more than {limit} bytes"
        yield FieldError("FieldValueTooLong", field, text)
    elif kind in ("maxItems", "maxProperties"):
        text = f"Too many: {len(value)}: must have at most {limit} items"
        yield FieldError("FieldValueTooMany", field, text)
    else:
        yield from _worded(fault, field, kind)


def _worded(fault: jsonschema.ValidationError, field: str, kind: str) -> Iterator[FieldError]:
    value, limit = fault.instance, fault.validator_value
    if kind in _CHOICES:
        yield invalid("<nil>", "", f'"{field}" {_CHOICES[kind]}')
    elif kind == "format":
        detail = f"{field} in body must be of type {limit}: {json.dumps(value)}"
        yield invalid(field, value, detail)
    elif kind in _BOUNDS:
        yield invalid(field, value, f"{field} in body {_BOUNDS[kind].format(limit)}")
    else:
        yield invalid(field, value, fault.message)


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _type_name(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return "null" if value is None else names.get(type(value), "object")


def _duplicates(value: Any, schema: Object, field: str) -> list[FieldError]:
    """Items of list maps and sets that are there twice."""
    if isinstance(value, Mapping):
        properties = schema.get("properties") or EMPTY
        return [
            error
            for name, part in value.items()
            if name in properties
            for error in _duplicates(part, properties[name], f"{field}.{name}".removeprefix("."))
        ]
    if not isinstance(value, list):
        return []
    items = schema.get("items") or EMPTY
    found = [
        error
        for index, part in enumerate(value)
        for error in _duplicates(part, items, f"{field}[{index}]")
    ]
    return found + _repeated(value, schema, field)


def _repeated(value: Sequence[Any], schema: Object, field: str) -> list[FieldError]:
    kind = schema.get(LIST_TYPE)
    if kind not in ("map", "set"):
        return []
    errors, seen = [], set()
    for index, item in enumerate(value):
        shown = {key: item.get(key) for key in schema.get(MAP_KEYS, ())} if kind == "map" else item
        key = json.dumps(shown, sort_keys=True)
        if key in seen:
            errors.append(duplicate(f"{field}[{index}]", shown))
        seen.add(key)
    return errors
