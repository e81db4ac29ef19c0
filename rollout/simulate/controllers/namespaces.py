"""What a namespace brings with it, and what its deletion takes along."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from rollout.kube.errors import Refused
from rollout.resources.objects import is_terminating, name_of
from rollout.resources.writes import Object
from rollout.simulate.controllers.base import Hands, Key
from rollout.simulate.objects import Json, put
from rollout.simulate.store import Change

NAMESPACES: Final = "namespaces"
ACCOUNTS: Final = "serviceaccounts"
KUBERNETES: Final = "kubernetes"


class NamespaceController:
    """Gives each namespace its default account, and empties one that is deleted."""

    def keys(self, change: Change, hands: Hands) -> Iterable[Key]:
        """The namespace itself, or that of an object which is gone."""
        if change.resource == NAMESPACES:
            yield "", change.name
        elif change.type == "DELETED" and change.namespace:
            namespace = hands.get(NAMESPACES, "", change.namespace)
            if namespace is not None and (is_terminating(namespace) or change.resource == ACCOUNTS):
                yield "", change.namespace

    def reconcile(self, key: Key, hands: Hands) -> datetime | None:
        """Create what every namespace has, or delete what is left in this one."""
        namespace = hands.get(NAMESPACES, *key)
        if namespace is None:
            return None
        if not is_terminating(namespace):
            _require_account(name_of(namespace), hands)
        elif KUBERNETES in (namespace["spec"].get("finalizers") or ()):
            _empty(namespace, hands)
        return None


def _require_account(namespace: str, hands: Hands) -> None:
    if hands.get(ACCOUNTS, namespace, "default") is None:
        hands.create(ACCOUNTS, namespace, {"metadata": {"name": "default"}})


def _empty(namespace: Object, hands: Hands) -> None:
    name = name_of(namespace)
    for resource, obj in _contents(name, hands):
        if not is_terminating(obj):
            hands.delete(resource, obj)
    if not any(True for _ in _contents(name, hands)):
        hands.update(NAMESPACES, namespace, _finalized)


def _contents(namespace: str, hands: Hands) -> Iterable[tuple[str, Object]]:
    for resource in hands.registry.store.resources():
        if _is_served(resource, hands):
            for obj in hands.all(resource, namespace):
                yield resource, obj


def _is_served(resource: str, hands: Hands) -> bool:
    try:
        return hands.registry.catalog.by_key(resource).resource.namespaced
    except Refused:
        return False


def _finalized(namespace: Object) -> Json:
    spec = namespace["spec"]
    left = [name for name in spec.get("finalizers") or () if name != KUBERNETES]
    return put(namespace, ("spec", "finalizers"), left)
