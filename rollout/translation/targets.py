"""Writes to the target Deployment: each guarded by the resourceVersion it was decided on."""

from collections.abc import Mapping
from typing import Any, Final

from rollout.resources.guarded import json_patch, merge
from rollout.resources.objects import annotations_of
from rollout.resources.words import EPOCH, LATCH, RESTORE
from rollout.resources.writes import Kind, Object, Patch
from rollout.traffic.notes import read_note, write_note

PAUSED: Final = "spec.paused"


def is_paused(target: Object) -> bool:
    """Whether the Deployment is paused."""
    return bool(target["spec"].get("paused", False))


def pause(target: Object, saved: Mapping[str, Any] | None = None) -> Patch | None:
    """Pause it, with the note of what was there before in the same patch.

    `saved`: what the release has written down, for a target that has lost its note.
    """
    notes = {}
    if RESTORE not in annotations_of(target):
        notes[RESTORE] = write_note(saved or {PAUSED: is_paused(target)})
    if is_paused(target) and not notes:
        return None
    return merge(Kind.DEPLOYMENT, target, {"spec": {"paused": True}}, notes)


def unpause(target: Object) -> Patch | None:
    """Let it roll."""
    if not is_paused(target):
        return None
    return merge(Kind.DEPLOYMENT, target, {"spec": {"paused": False}})


def write_template(target: Object, template: Any, *, paused: bool = False) -> Patch | None:
    """Replace the pod template whole, and let it roll or (`paused`) wait, in one patch.

    A merge patch would keep keys that the new template does not have. None when the target has
    it already, and rolls or waits.
    """
    if target["spec"]["template"] == untracked(template) and is_paused(target) is paused:
        return None
    operations: list[Object] = [
        {"op": "replace", "path": "/spec/template", "value": untracked(template)},
        {"op": "add", "path": "/spec/paused", "value": paused},
    ]
    return json_patch(Kind.DEPLOYMENT, target, operations)


def put_back(target: Object, template: Any) -> Patch:
    """Replace the pod template whole and give the target back, in one patch.

    With the template of the ReplicaSet that serves no pod is touched: unpaused, the Deployment
    finds that ReplicaSet to be its own.
    """
    notes = annotations_of(target)
    before = (read_note(notes) or {}).get(PAUSED, False)
    kept = {key: value for key, value in notes.items() if key not in {RESTORE, LATCH}}
    operations: list[Object] = [
        {"op": "replace", "path": "/spec/template", "value": untracked(template)},
        {"op": "add", "path": "/spec/paused", "value": bool(before)},
        {"op": "add", "path": "/metadata/annotations", "value": kept},
    ]
    return json_patch(Kind.DEPLOYMENT, target, operations)


def untracked(template: Any) -> dict[str, Any]:
    """Return a template without the labels that only our candidate and ReplicaSets carry."""
    from_labels = {"rollout.dev/track", "pod-template-hash"}
    metadata = dict(template.get("metadata") or {})
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k not in from_labels}
    return {**template, "metadata": {**metadata, "labels": labels}}


def restore(
    target: Object, *, keep_paused: bool, saved: Mapping[str, Any] | None = None
) -> Patch | None:
    """Give it back: paused as it was before us, and without our notes.

    `keep_paused` leaves it paused, with the note of how it was. None when nothing is to be done.
    """
    notes = annotations_of(target)
    if keep_paused:
        marks: dict[str, Any] = {key: None for key in (LATCH, EPOCH) if key in notes}
        return merge(Kind.DEPLOYMENT, target, {}, marks) if marks else None
    before = (read_note(notes) or saved or {PAUSED: is_paused(target)}).get(PAUSED, False)
    removed: dict[str, Any] = {key: None for key in (RESTORE, LATCH, EPOCH) if key in notes}
    body = {} if before == is_paused(target) else {"spec": {"paused": True if before else None}}
    return merge(Kind.DEPLOYMENT, target, body, removed) if removed or body else None
