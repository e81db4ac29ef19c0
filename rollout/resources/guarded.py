"""Writes that the server refuses (409) when the object has changed since it was looked at."""

from collections.abc import Mapping
from typing import Any

from rollout.resources.objects import is_terminating, name_of, namespace_of, uid_of
from rollout.resources.writes import Delete, Kind, Object, Patch, PatchType


def merge(
    kind: Kind, obj: Object, body: Mapping[str, Any], notes: Mapping[str, Any] | None = None
) -> Patch:
    """Make a merge patch of `body`, with `notes` set (or, as None, removed) as annotations."""
    metadata: dict[str, Any] = {"resourceVersion": obj["metadata"]["resourceVersion"]}
    if notes:
        metadata["annotations"] = dict(notes)
    whole = {**body, "metadata": {**body.get("metadata", {}), **metadata}}
    return Patch(kind, namespace_of(obj), name_of(obj), PatchType.MERGE, whole)


def json_patch(
    kind: Kind, obj: Object, operations: list[Object], subresource: str | None = None
) -> Patch:
    """Make a JSON patch, for what a merge cannot say: a map with other keys than before.

    The resourceVersion is replaced by the one that was looked at, not tested: a stale one is a
    409 like everywhere else, where a failed test is a 422 that says nothing.
    """
    version = obj["metadata"]["resourceVersion"]
    guard: Object = {"op": "replace", "path": "/metadata/resourceVersion", "value": version}
    body = [guard, *operations]
    return Patch(kind, namespace_of(obj), name_of(obj), PatchType.JSON, body, subresource)


def replace_status(kind: Kind, obj: Object, status: Mapping[str, Any]) -> Patch:
    """Write the status whole: what it no longer says is gone."""
    return json_patch(kind, obj, [{"op": "add", "path": "/status", "value": status}], "status")


def delete(kind: Kind, obj: Object) -> Delete | None:
    """Delete this very object; None when that was asked for already."""
    if is_terminating(obj):
        return None
    version = str(obj["metadata"]["resourceVersion"])
    return Delete(kind, namespace_of(obj), name_of(obj), uid=uid_of(obj), resource_version=version)
