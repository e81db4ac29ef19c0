"""Strategic merge patch: lists of known fields are merged by key instead of replaced.

The real server reads the keys from Go struct tags; here they are a table of the fields that the
kinds of this project have. A field that is not in the table is replaced, as an atomic list is.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from rollout.resources.writes import Object
from rollout.simulate.objects import Json
from rollout.simulate.refusals import bad_request

MERGE_KEYS: Final[Mapping[str, str]] = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "resourceClaims": "name",
    "conditions": "type",
    "podIPs": "ip",
    "hostIPs": "ip",
    "addresses": "type",
    "ownerReferences": "uid",
    "secrets": "name",
}
"""Field name to merge key, where the key is the same wherever the field occurs."""

MERGE_KEYS_AT: Final[Mapping[tuple[str, str], str]] = {
    ("containers", "ports"): "containerPort",
    ("initContainers", "ports"): "containerPort",
    ("spec", "ports"): "port",
}
"""The same for fields whose key depends on the field around them."""

SETS: Final = frozenset({"finalizers"})
"""Lists of plain values that are merged as sets."""

RETAIN_KEYS: Final = "$retainKeys"
PATCH: Final = "$patch"
SET_ORDER: Final = "$setElementOrder/"
DELETE_FROM: Final = "$deleteFromPrimitiveList/"


def strategic_merge(obj: Object, patch: Mapping[str, Any]) -> Json:
    """The object after a strategic merge patch. Raises Refused (400) for a broken directive."""
    return _merge_maps(obj, patch, "")


def _merge_maps(target: Any, patch: Mapping[str, Any], parent: str) -> Json:
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
            _merge_field(merged, key, value, parent)
    _apply_directives(merged, plain, parent)
    return merged


def _merge_field(merged: Json, key: str, value: Any, parent: str) -> None:
    if value is None:
        merged.pop(key, None)
    elif isinstance(value, Mapping):
        merged[key] = _merge_maps(merged.get(key), value, key)
    elif isinstance(value, list):
        merged[key] = _merge_lists(merged.get(key) or [], value, key, parent)
    else:
        merged[key] = value


def _merge_lists(target: list[Any], patch: list[Any], field: str, parent: str) -> list[Any]:
    if field in SETS:
        return target + [value for value in patch if value not in target]
    merge_key = merge_key_of(field, parent)
    if merge_key is None:
        return [_clean(item) for item in patch]
    if any(item.get(PATCH) == "replace" for item in patch):
        return [_clean(item) for item in patch if item.get(PATCH) != "replace"]
    merged = list(target)
    for item in patch:
        if merge_key not in item:
            raise bad_request(f"map: {dict(item)} does not contain declared merge key: {merge_key}")
        _merge_item(merged, item, merge_key, field)
    return merged


def _merge_item(merged: list[Any], item: Mapping[str, Any], merge_key: str, field: str) -> None:
    places = [at for at, old in enumerate(merged) if old.get(merge_key) == item[merge_key]]
    if item.get(PATCH) == "delete":
        merged[:] = [old for at, old in enumerate(merged) if at not in places]
    elif places:
        merged[places[0]] = _merge_maps(merged[places[0]], item, field)
    else:
        merged.append(_merge_maps({}, item, field))


def _apply_directives(merged: Json, patch: Mapping[str, Any], parent: str) -> None:
    for key, values in patch.items():
        if key.startswith(DELETE_FROM):
            field = key.removeprefix(DELETE_FROM)
            merged[field] = [item for item in merged.get(field) or () if item not in values]
        elif key.startswith(SET_ORDER):
            field = key.removeprefix(SET_ORDER)
            if isinstance(merged.get(field), list):
                merged[field] = _ordered(merged[field], values, merge_key_of(field, parent))


def _ordered(items: list[Any], order: list[Any], merge_key: str | None) -> list[Any]:
    """The items in the order that the client wants; items it does not name keep their place."""
    identity: Callable[[Any], Any] = (
        (lambda item: item) if merge_key is None else (lambda item: item.get(merge_key))
    )
    ranks = {identity(item): rank for rank, item in enumerate(order)}
    named = iter(
        sorted(
            (item for item in items if identity(item) in ranks),
            key=lambda item: ranks[identity(item)],
        )
    )
    return [next(named) if identity(item) in ranks else item for item in items]


def merge_key_of(field: str, parent: str) -> str | None:
    """The key by which a list is merged, or None when it is replaced."""
    return MERGE_KEYS_AT.get((parent, field)) or MERGE_KEYS.get(field)


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
