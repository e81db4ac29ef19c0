"""Questions about raw Kubernetes objects that every layer asks."""

from collections.abc import Mapping, Sequence
from typing import Any

from rollout.resources.writes import Object


def name_of(obj: Object) -> str:
    """The value of `metadata.name`."""
    return str(obj["metadata"]["name"])


def namespace_of(obj: Object) -> str:
    """The value of `metadata.namespace`, empty for kinds without namespace."""
    return str(obj["metadata"].get("namespace", ""))


def uid_of(obj: Object) -> str:
    """The value of `metadata.uid`, empty for an object that was never stored."""
    return str(obj["metadata"].get("uid", ""))


def labels_of(obj: Object) -> Mapping[str, str]:
    """The labels, an empty mapping when there are none."""
    labels: Mapping[str, str] = obj["metadata"].get("labels") or {}
    return labels


def annotations_of(obj: Object) -> Mapping[str, str]:
    """The annotations, an empty mapping when there are none."""
    annotations: Mapping[str, str] = obj["metadata"].get("annotations") or {}
    return annotations


def owners_of(obj: Object) -> Sequence[Object]:
    """The owner references, controllers and others."""
    owners: Sequence[Object] = obj["metadata"].get("ownerReferences") or ()
    return owners


def controller_of(obj: Object) -> Object | None:
    """The owner reference that has `controller: true`, if there is one."""
    return next((owner for owner in owners_of(obj) if owner.get("controller")), None)


def controller_uid(obj: Object) -> str | None:
    """The uid of the object that controls this one, if there is one."""
    controller = controller_of(obj)
    return None if controller is None else str(controller["uid"])


def is_terminating(obj: Object) -> bool:
    """Whether deletion was asked for and the object is still there."""
    return "deletionTimestamp" in obj["metadata"]


def image_of(template: Mapping[str, Any], container: str) -> str:
    """The image of a container of a pod template, empty when there is none."""
    containers = (template.get("spec") or {}).get("containers") or []
    return next((str(c.get("image", "")) for c in containers if c.get("name") == container), "")
