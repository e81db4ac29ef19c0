"""Kubernetes objects as JSON that is never changed in place.

The simulated cluster keeps each version of an object as a snapshot that readers, the watch log and
forked worlds share. So an edit builds a new object along the edited path and shares the rest; these
are the few helpers that do it, and the questions about objects that several modules ask.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from rollout.resources.objects import name_of, uid_of
from rollout.resources.writes import Object

Json: TypeAlias = dict[str, Any]
"""A JSON object under construction; it becomes an `Object` when it is stored."""

EMPTY: Final[Mapping[str, Any]] = {}


def put(obj: Object, path: Sequence[str], value: Any) -> Json:
    """The object with `value` at `path`; what lies off the path is shared with the original."""
    copy = dict(obj)
    head = path[0]
    copy[head] = value if len(path) == 1 else put(copy.get(head) or EMPTY, path[1:], value)
    return copy


def drop(obj: Object, path: Sequence[str]) -> Json:
    """The object without the field at `path`; missing fields are no error."""
    copy = dict(obj)
    head = path[0]
    if len(path) == 1:
        copy.pop(head, None)
    elif isinstance(copy.get(head), Mapping):
        copy[head] = drop(copy[head], path[1:])
    return copy


def dig(obj: Object, *path: str) -> Any:
    """The value at `path`, or None when a part of the path is missing."""
    value: Any = obj
    for part in path:
        if not isinstance(value, (dict, Mapping)):  # most are: the first is a quick look
            return None
        value = value.get(part)
    return value


def controller_reference(owner: Object) -> Json:
    """A reference with which `owner` controls a dependent."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def condition_of(obj: Object, kind: str) -> Object | None:
    """The condition of that type in `status.conditions`, if there is one."""
    conditions = (obj.get("status") or EMPTY).get("conditions") or ()
    return next((condition for condition in conditions if condition["type"] == kind), None)


def is_ready(pod: Object) -> bool:
    """Whether the pod's condition `Ready` is True."""
    condition = condition_of(pod, "Ready")
    return condition is not None and condition.get("status") == "True"


def timestamp(moment: datetime) -> str:
    """The moment as Kubernetes writes times: RFC 3339, UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """The moment that an RFC 3339 text names. Raises ValueError when it is none."""
    return datetime.fromisoformat(text)
