"""References by which objects of ours go when the user's go."""

from typing import Any

from rollout.resources.objects import name_of, uid_of
from rollout.resources.writes import Kind, Object


def owner(obj: Object, kind: Kind) -> dict[str, Any]:
    """Return a reference to an owner that does not control: only garbage collection follows it."""
    return {
        "apiVersion": kind.value.api_version,
        "kind": kind.value.kind,
        "name": name_of(obj),
        "uid": uid_of(obj),
        "controller": False,
        "blockOwnerDeletion": False,
    }
