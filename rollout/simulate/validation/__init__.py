"""What the real API server refuses, for the kinds that a release touches, in its words.

Not every rule of Kubernetes: those that a user of this project, or a mistake of ours, can run
into. Each function takes the new object and the one it replaces (None on create) and gives the
list of errors; empty means valid.
"""

from rollout.resources.writes import Object
from rollout.simulate.refusals import FieldError


def nothing(new: Object, old: Object | None) -> list[FieldError]:
    """No rules of its own."""
    del new, old
    return []
