"""Which objects a controller looks after: by controller reference, never by labels alone.

Orphans that match the selector are adopted; own objects that no longer match are released.
"""

from rollout.resources.objects import (
    controller_of,
    is_terminating,
    labels_of,
    namespace_of,
    owners_of,
    uid_of,
)
from rollout.resources.writes import Object
from rollout.simulate.controllers.base import Hands
from rollout.simulate.objects import controller_reference, put
from rollout.simulate.registry import Edit
from rollout.simulate.selectors import matches_structure


def claim(owner: Object, resource: str, hands: Hands) -> list[Object]:
    """Objects of the resource that `owner` controls, after adoption and release."""
    selector = owner["spec"]["selector"]
    claimed = []
    for obj in hands.dependents(owner, resource):
        controller = controller_of(obj)
        if controller is None or controller["uid"] != uid_of(owner):
            continue
        if matches_structure(selector, labels_of(obj)):
            claimed.append(obj)
        elif not is_terminating(owner):
            _release(owner, resource, obj, hands)
    if not is_terminating(owner):
        claimed += _adopted(owner, resource, hands)
    return claimed


def _adopted(owner: Object, resource: str, hands: Hands) -> list[Object]:
    selector = owner["spec"]["selector"]
    adopted = []
    for obj in hands.all(resource, namespace_of(owner)):
        fits = controller_of(obj) is None and matches_structure(selector, labels_of(obj))
        if fits and not is_terminating(obj):
            owners = [*owners_of(obj), controller_reference(owner)]
            adopted.append(hands.update(resource, obj, _owned_by(owners)))
    return adopted


def _release(owner: Object, resource: str, obj: Object, hands: Hands) -> None:
    owners = [reference for reference in owners_of(obj) if reference["uid"] != uid_of(owner)]
    hands.update(resource, obj, _owned_by(owners))


def _owned_by(owners: list[Object]) -> Edit:
    return lambda obj: put(obj, ("metadata", "ownerReferences"), owners)
