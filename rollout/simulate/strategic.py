"""Strategic merge patch: lists of known fields are merged by key instead of replaced.

Which lists, and by which key, the Go structs of the kinds say. A list without a merge key is
replaced as a whole.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from rollout.resources.writes import Object
from rollout.simulate.fields import SET, Field, Struct, root_struct
from rollout.simulate.objects import Json
from rollout.simulate.refusals import unreadable

RETAIN_KEYS: Final = "$retainKeys"
PATCH: Final = "$patch"
SET_ORDER: Final = "$setElementOrder/"
DELETE_FROM: Final = "$deleteFromPrimitiveList/"


def strategic_merge(obj: Object, patch: Mapping[str, Any]) -> Json:
    """The object after a strategic merge patch. Raises ServerFault for an item without its key."""
    return _merge_maps(obj, patch, root_struct(str(obj["apiVersion"]), str(obj["kind"])))


def _inner(struct: Struct | None, name: str) -> Struct | None:
    """The struct that a field, or each element of it, is of."""
    field = struct.fields.get(name) if struct is not None else None
    if field is None:
        return None
    kind = field.type.element or field.type
    return kind.struct if kind.form == "struct" else None


def _merge_key(struct: Struct | None, name: str) -> str:
    field: Field | None = struct.fields.get(name) if struct is not None else None
    return field.merge_key if field is not None else ""


def _merge_maps(target: Any, patch: Mapping[str, Any], struct: Struct | None) -> Json:
    directive = patch.get(PATCH)
    plain = {key: value for key, value in patch.items() if key not in (PATCH, RETAIN_KEYS)}
    if directive == "replace":
        return {key: _clean(value) for key, value in plain.items() if value is not None}
    if directive == "delete":
        return {}
    merged = dict(target) if isinstance(target, Mapping) else {}
    if RETAIN_KEYS in patch:
        kept = set(patch[RETAIN_KEYS])
        merged = {key: value for key, value in merged.items() if key in kept}
    for key, value in plain.items():
        if not key.startswith((SET_ORDER, DELETE_FROM)):
            _merge_field(merged, key, value, struct)
    before = target if isinstance(target, Mapping) else {}
    _apply_directives(merged, plain, before, struct)
    return merged


def _merge_field(merged: Json, key: str, value: Any, struct: Struct | None) -> None:
    if value is None:
        merged.pop(key, None)
    elif isinstance(value, Mapping):
        merged[key] = _merge_maps(merged.get(key), value, _inner(struct, key))
    elif isinstance(value, list):
        merged[key] = _merge_lists(merged.get(key) or [], value, key, struct)
    else:
        merged[key] = value


def _merge_lists(
    target: list[Any], patch: list[Any], field: str, struct: Struct | None
) -> list[Any]:
    merge_key = _merge_key(struct, field)
    if merge_key == SET:
        merged = target + [value for value in patch if value not in target]
        return _ordered(merged, patch, target, merge_key)
    if not merge_key:
        return [_clean(item) for item in patch]
    if any(item.get(PATCH) == "replace" for item in patch):
        return [_clean(item) for item in patch if item.get(PATCH) != "replace"]
    merged = list(target)
    for item in patch:
        if merge_key not in item:
            shown = " ".join(f"{key}:{value}" for key, value in item.items())
            raise unreadable(f"map: map[{shown}] does not contain declared merge key: {merge_key}")
        _merge_item(merged, item, merge_key, _inner(struct, field))
    return _ordered(merged, patch, target, merge_key)


def _merge_item(
    merged: list[Any], item: Mapping[str, Any], merge_key: str, struct: Struct | None
) -> None:
    places = [at for at, old in enumerate(merged) if old.get(merge_key) == item[merge_key]]
    if item.get(PATCH) == "delete":
        merged[:] = [old for at, old in enumerate(merged) if at not in places]
    elif places:
        merged[places[0]] = _merge_maps(merged[places[0]], item, struct)
    else:
        merged.append(_merge_maps({}, item, struct))


def _apply_directives(
    merged: Json, patch: Mapping[str, Any], before: Mapping[str, Any], struct: Struct | None
) -> None:
    for key, values in patch.items():
        if key.startswith(DELETE_FROM):
            field = key.removeprefix(DELETE_FROM)
            merged[field] = [item for item in merged.get(field) or () if item not in values]
        elif key.startswith(SET_ORDER):
            field = key.removeprefix(SET_ORDER)
            if isinstance(merged.get(field), list):
                old = before.get(field) or []
                merged[field] = _ordered(merged[field], values, old, _merge_key(struct, field))


def _ordered(items: list[Any], order: list[Any], before: list[Any], merge_key: str) -> list[Any]:
    """The items in the server's order: those that `order` names keep that order among themselves.

    Items the client does not name stand before a named one only where they did so already.
    """
    identity: Callable[[Any], Any] = (
        (lambda item: item.get(merge_key)) if merge_key not in ("", SET) else (lambda item: item)
    )
    ranks = {identity(item): rank for rank, item in enumerate(order)}
    known = {identity(item): rank for rank, item in enumerate(before)}
    named = sorted((i for i in items if identity(i) in ranks), key=lambda i: ranks[identity(i)])
    others = [item for item in items if identity(item) not in ranks]
    others.sort(key=lambda item: known.get(identity(item), len(known)))
    result = []
    while named and others:
        left, right = known.get(identity(others[0])), known.get(identity(named[0]))
        is_first = left is not None and right is not None and left < right
        result.append(others.pop(0) if is_first else named.pop(0))
    return result + named + others


def _clean(value: Any) -> Any:
    """The value without nulls and directives, as it is stored where nothing was before."""
    if isinstance(value, Mapping):
        return {
            key: _clean(part)
            for key, part in value.items()
            if part is not None and not key.startswith("$")
        }
    if isinstance(value, list):
        return [_clean(part) for part in value]
    return value
