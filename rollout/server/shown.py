"""Objects as the API shows them: what people wrote and what we remember, without bookkeeping."""

from typing import Any, Final

from rollout.resources.writes import Object

METADATA: Final = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "labels",
    "annotations",
    "finalizers",
)
PARTS: Final = ("apiVersion", "kind", "metadata", "spec", "status")
NOT_BEGUN: Final = {"phase": "Pending", "weight": {"asked": 0, "applied": 0}}
"""The status of a Release that no controller has looked at yet: readers find a phase in any."""
NEW: Final = ("name", "namespace", "uid", "creationTimestamp")


def shown(obj: Object) -> dict[str, Any]:
    """Show an object as it is now."""
    metadata = {key: obj["metadata"][key] for key in METADATA if key in obj["metadata"]}
    said = {key: obj[key] for key in PARTS if key in obj}
    if obj["kind"] == "Release" and not said.get("status"):
        said["status"] = NOT_BEGUN
    return {**said, "metadata": metadata}


def as_created(release: Object) -> dict[str, Any]:
    """Show what never changes of a release: the same now and when somebody asks once more."""
    metadata = {key: release["metadata"][key] for key in NEW if key in release["metadata"]}
    spec = {key: value for key, value in release["spec"].items() if key != "action"}
    return {
        "apiVersion": release["apiVersion"],
        "kind": release["kind"],
        "metadata": metadata,
        "spec": spec,
    }
