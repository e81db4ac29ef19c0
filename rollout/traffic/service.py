"""A Service as a router: which pod-template-hash its selector is narrowed to."""

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from rollout.resources.words import LATCH, POD_TEMPLATE_HASH, RESTORE
from rollout.resources.writes import Kind, Object, Patch, PatchType

FIELD: Final = f"spec.selector.{POD_TEMPLATE_HASH}"


def selector_of(service: Object) -> Mapping[str, str]:
    """Return the selector, empty when there is none."""
    return service.get("spec", {}).get("selector") or {}


def own_selector(service: Object) -> dict[str, str]:
    """Return the selector without the hash that we put there."""
    return {k: v for k, v in selector_of(service).items() if k != POD_TEMPLATE_HASH}


def pinned(service: Object) -> str | None:
    """Return the hash that the Service is narrowed to."""
    return selector_of(service).get(POD_TEMPLATE_HASH)


def select(service: Object, hash_: str, *, latch: str | None = None) -> Patch | None:
    """Narrow a Service to one hash, in one patch with the note that says how to undo it.

    None when the Service is so already.
    """
    notes = annotations(service)
    wanted: dict[str, Any] = {}
    if RESTORE not in notes:
        wanted[RESTORE] = json.dumps({FIELD: pinned(service)})
    if latch is not None and notes.get(LATCH) != latch:
        wanted[LATCH] = latch
    if pinned(service) == hash_ and not wanted:
        return None
    body: dict[str, Any] = {"spec": {"selector": {POD_TEMPLATE_HASH: hash_}}}
    return merge(Kind.SERVICE, service, body, wanted)


def restore(service: Object, hashes: Collection[str]) -> Patch | None:
    """Give a Service its own selector back, where the hash in it is one of ours.

    None when nothing of ours is left.
    """
    notes = annotations(service)
    removed: dict[str, Any] = {key: None for key in (RESTORE, LATCH) if key in notes}
    ours = pinned(service) in hashes
    if not removed and not ours:
        return None
    before = saved(notes) or {}
    body: dict[str, Any] = {}
    if ours:
        body = {"spec": {"selector": {POD_TEMPLATE_HASH: before.get(FIELD)}}}
    return merge(Kind.SERVICE, service, body, removed)


def annotations(obj: Object) -> Mapping[str, str]:
    """Return the annotations of an object."""
    return obj["metadata"].get("annotations") or {}


def saved(notes: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Read what a `rollout.dev/restore` annotation says; None when it says nothing sensible."""
    try:
        found = json.loads(notes.get(RESTORE, "null"))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def merge(
    kind: Kind, obj: Object, body: Mapping[str, Any], notes: Mapping[str, Any] | None = None
) -> Patch:
    """Make a merge patch that is refused when the object has changed since it was looked at."""
    metadata: dict[str, Any] = {"resourceVersion": obj["metadata"]["resourceVersion"]}
    if notes:
        metadata["annotations"] = dict(notes)
    whole = {**body, "metadata": {**body.get("metadata", {}), **metadata}}
    space, name = str(obj["metadata"]["namespace"]), str(obj["metadata"]["name"])
    return Patch(kind, space, name, PatchType.MERGE, whole)
