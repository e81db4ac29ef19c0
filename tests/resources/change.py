"""Objects that differ from a good one in a field, for what the API server must refuse."""

import copy
from typing import Any


def changed(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return an object with one field changed; None removes it."""
    found = copy.deepcopy(body)
    *way, last = path.split(".")
    place: Any = found
    for part in way:
        place = place[int(part)] if part.isdigit() else place.setdefault(part, {})
    if value is None:
        place.pop(last)
    else:
        place[last] = value
    return found


def policy(**spec: Any) -> dict[str, Any]:
    """Return a RolloutPolicy."""
    return {
        "apiVersion": "rollout.dev/v1alpha1",
        "kind": "RolloutPolicy",
        "metadata": {"name": "p"},
        "spec": spec,
    }


def without_rules(schema: Any) -> Any:
    """Give a schema as a server has it that was given none of our rules."""
    if isinstance(schema, dict):
        kept = {key: value for key, value in schema.items() if key != "x-kubernetes-validations"}
        return {key: without_rules(value) for key, value in kept.items()}
    return [without_rules(one) for one in schema] if isinstance(schema, list) else schema
