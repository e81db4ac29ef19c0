"""The candidate Deployment: the target's shape, the new template, and a label that tells it."""

from collections.abc import Mapping
from typing import Any, Final

from rollout.resources.names import beside
from rollout.resources.objects import name_of
from rollout.resources.owners import owner
from rollout.resources.words import CANDIDATE, POD_TEMPLATE_HASH, TRACK
from rollout.resources.writes import Create, Kind, Object

COPIED: Final = ("strategy", "minReadySeconds", "progressDeadlineSeconds")
"""Fields of the target's spec that say how its pods come up, and hold for the candidate too."""


def create(target: Object, template: Any, labels: Mapping[str, str]) -> Create:
    """Create it with no replicas. Its selector carries the track; the target's does not.

    Labels and annotations of the target itself are not copied: by them Argo CD, Helm and others
    would take the candidate for their own.
    """
    spec = target["spec"]
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": beside(name_of(target)),
            "labels": dict(labels),
            "ownerReferences": [owner(target, Kind.DEPLOYMENT)],
        },
        "spec": {
            "replicas": 0,
            "revisionHistoryLimit": 1,
            "selector": _tracked_selector(spec["selector"]),
            "template": tracked(template),
            **{key: spec[key] for key in COPIED if key in spec},
        },
    }
    return Create(Kind.DEPLOYMENT, str(target["metadata"]["namespace"]), body)


def _tracked_selector(selector: Mapping[str, Any]) -> dict[str, Any]:
    labels = {**(selector.get("matchLabels") or {}), TRACK: CANDIDATE}
    return {**selector, "matchLabels": labels}


def tracked(template: Any) -> dict[str, Any]:
    """Return a template with the candidate's label, and without a hash of somebody else."""
    metadata = dict(template.get("metadata") or {})
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k != POD_TEMPLATE_HASH}
    return {**template, "metadata": {**metadata, "labels": {**labels, TRACK: CANDIDATE}}}
