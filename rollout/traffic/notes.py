"""The note on an object of the user's that says how it was before a release touched it (I5)."""

import json
from collections.abc import Mapping
from typing import Any

from rollout.resources.words import RESTORE


def write_note(before: Mapping[str, Any]) -> str:
    """Return the value of a `rollout.dev/restore` annotation."""
    return json.dumps(before)


def read_note(annotations: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Read what a `rollout.dev/restore` annotation says; None when it says nothing sensible."""
    try:
        found = json.loads(annotations.get(RESTORE, "null"))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
