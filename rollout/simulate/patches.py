"""The three kinds of patch that the API takes, as functions from object to object."""

from collections.abc import Mapping, Sequence
from typing import Any

import jsonpatch
import jsonpointer

from rollout.resources.writes import Object, PatchType
from rollout.simulate.objects import Json
from rollout.simulate.refusals import bad_request, unprocessable
from rollout.simulate.strategic import strategic_merge


def patched(obj: Object, kind: PatchType, body: Any) -> Json:
    """The object after the patch; the object itself stays as it was.

    Raises Invalid (422) when a JSON patch does not fit the object, Refused (400) when the body
    is no patch of this kind.
    """
    if kind is PatchType.JSON:
        return _json_patch(obj, body)
    if not isinstance(body, Mapping):
        raise bad_request(f"error decoding patch: expected an object, got {type(body).__name__}")
    if kind is PatchType.MERGE:
        return merge(obj, body)
    return strategic_merge(obj, body)


def merge(target: Any, patch: Mapping[str, Any]) -> Json:
    """JSON merge patch, RFC 7386: null removes, objects merge, anything else replaces."""
    merged = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            merged[key] = merge(merged.get(key), value)
        else:
            merged[key] = value
    return merged


def _json_patch(obj: Object, body: Any) -> Json:
    if not isinstance(body, Sequence) or isinstance(body, str):
        raise bad_request("error decoding patch: expected a list of operations")
    try:
        result: Json = jsonpatch.JsonPatch(body).apply(obj)
    except jsonpatch.JsonPatchTestFailed as failure:
        path = _failed_test(obj, body)
        raise unprocessable(f"testing value {path} failed: test failed") from failure
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as failure:
        raise unprocessable(str(failure)) from failure
    return result


def _failed_test(obj: Object, body: Sequence[Any]) -> str:
    """Path of the `test` that failed: the library does not tell."""
    for index, operation in enumerate(body):
        if operation.get("op") == "test":
            try:
                jsonpatch.JsonPatch(body[: index + 1]).apply(obj)
            except jsonpatch.JsonPatchTestFailed:
                return str(operation["path"])
    return ""
