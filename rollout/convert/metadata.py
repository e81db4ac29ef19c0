"""What every object has: metadata that is kept, and what only a server writes."""

from typing import Any, Final

from rollout.convert.ledger import Fate, Source

SERVER: Final = dict.fromkeys(
    (
        *("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"),
        *("selfLink", "deletionTimestamp", "deletionGracePeriodSeconds"),
    ),
    "written by the API server",
)
NOTIFIED: Final = (
    "rollout sends no notifications: alert on the controller's metrics, or on Events of Releases"
)
TRACES: Final = {
    "kubectl.kubernetes.io/last-applied-configuration": "kubectl writes it again when it applies",
    "rollout.argoproj.io/revision": "counted by Argo Rollouts; Releases are the history here",
    "rollout.argoproj.io/workload-generation": "written by Argo Rollouts",
}
NOTIFICATIONS: Final = "notifications.argoproj.io/"


def head(root: Source) -> None:
    """Settle apiVersion, kind and what the server writes."""
    for key in ("apiVersion", "kind"):
        root.take(key)
    root.not_needed("status", "what was observed; the controller observes anew")


def kept(root: Source) -> dict[str, Any]:
    """Give the metadata of the object that takes the place of this one."""
    metadata = root.part("metadata")
    metadata.none_needed(SERVER)
    metadata.no_equal("generateName", "give the object a name: it is written by its name")
    metadata.not_needed("finalizers", "of the controller that is left")
    metadata.no_equal("ownerReferences", "whoever owns the object must make the new one")
    found = {"name": metadata.take("name"), "namespace": metadata.take("namespace")}
    found["labels"] = metadata.keep("labels")
    found["annotations"] = _annotations(metadata.part("annotations"))
    return {key: value for key, value in found.items() if value}


def _annotations(annotations: Source) -> dict[str, Any]:
    found = {}
    for key in annotations.value:
        if key.startswith(NOTIFICATIONS):
            annotations.no_equal(key, NOTIFIED)
        elif key in TRACES:
            annotations.not_needed(key, TRACES[key])
        else:
            found[key] = annotations.take(key)
    return found


def forgotten(root: Source, why: str) -> None:
    """Settle the metadata of an object that none takes the place of."""
    root.part("metadata").whole(Fate.CONVERTED, why)
