"""A Service as a router: which pod-template-hash its selector is narrowed to.

`spec.selector` is atomic for a server-side apply, so Flux takes the user's own selector back at
each of its intervals. A Service that Flux has applied says from the first patch to the last that
Flux is to leave it alone, in the same patches as the selector.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from rollout.resources.guarded import merge
from rollout.resources.objects import annotations_of, labels_of, name_of
from rollout.resources.words import (
    EPOCH,
    FLUX_DISABLED,
    FLUX_NAME,
    FLUX_NAMESPACE,
    FLUX_RECONCILE,
    LATCH,
    POD_TEMPLATE_HASH,
    RESTORE,
)
from rollout.resources.writes import Kind, Object, Patch, Write
from rollout.traffic.notes import read_note, write_note
from rollout.traffic.router import ALL, Settings, Split, Steered, UnreachableSplitError, View

FIELD: Final = f"spec.selector.{POD_TEMPLATE_HASH}"
LEFT_ALONE: Final = f"metadata.annotations.{FLUX_RECONCILE}"


class ServiceRouter:
    """All or nothing: a selector cannot share."""

    def __init__(self, settings: Settings) -> None:
        self._hashes = settings.hashes
        self._saved = settings.saved

    def beside(self, name: str) -> None:  # noqa: ARG002 - the protocol asks for each name
        """Nothing stands beside a Service that is narrowed."""
        return

    def view(self, steered: Steered) -> View:
        """Read the hash that the Service is narrowed to."""
        if steered.own is None:
            return View(ready=False)
        found = pinned(steered.own)
        share = ALL if found is not None else 0
        latch = annotations_of(steered.own).get(LATCH)
        return View(asked=share, applied=share, hash=found, latch=latch)

    def prepare(self, steered: Steered) -> tuple[Write, ...]:  # noqa: ARG002 - as above
        """A selector is there already."""
        return ()

    def patches(self, steered: Steered, split: Split) -> tuple[Write, ...]:
        """Narrow the Service to one hash, in one patch with the note that says how to undo it."""
        if split.weight != ALL:
            raise UnreachableSplitError(f"a Service cannot give {split.weight} % of its requests")
        if steered.own is None:
            return ()
        before = self.before(steered.own)
        patch = select(steered.own, split.hash, before, latch=split.latch)
        return () if patch is None else (patch,)

    def restore(self, steered: Steered) -> tuple[Write, ...]:
        """Give the Service its own selector back."""
        if steered.own is None:
            return ()
        patch = restore(steered.own, self._hashes, self.before(steered.own))
        return () if patch is None else (patch,)

    def before(self, service: Object) -> Mapping[str, Any]:
        """Say what was there before us: by its own note, the release's, or what is there."""
        noted = read_note(annotations_of(service)) or self._saved.get(name_of(service))
        if noted is not None:
            return noted
        found = pinned(service)
        return {**as_it_is(service), FIELD: None if found in self._hashes else found}


def selector_of(service: Object) -> Mapping[str, str]:
    """Return the selector, empty when there is none."""
    return service.get("spec", {}).get("selector") or {}


def own_selector(service: Object) -> dict[str, str]:
    """Return the selector without the hash that we put there."""
    return {k: v for k, v in selector_of(service).items() if k != POD_TEMPLATE_HASH}


def pinned(service: Object) -> str | None:
    """Return the hash that the Service is narrowed to."""
    return selector_of(service).get(POD_TEMPLATE_HASH)


def as_it_is(service: Object) -> dict[str, Any]:
    """Return each field that a release changes, and its value now; None: it is absent."""
    found: dict[str, Any] = {FIELD: pinned(service)}
    if applied_by_flux(service):
        found[LEFT_ALONE] = annotations_of(service).get(FLUX_RECONCILE)
    return found


def applied_by_flux(service: Object) -> bool:
    """Whether a Kustomization of Flux applies this Service again and again."""
    return {FLUX_NAME, FLUX_NAMESPACE} <= set(labels_of(service))


def _notes(service: Object, before: Mapping[str, Any]) -> dict[str, Any]:
    """Say which annotations a Service of a running release lacks."""
    notes, known = annotations_of(service), {FIELD: None, **before}
    wanted: dict[str, Any] = {}
    if applied_by_flux(service):
        known.setdefault(LEFT_ALONE, notes.get(FLUX_RECONCILE))
        if notes.get(FLUX_RECONCILE) != FLUX_DISABLED:
            wanted[FLUX_RECONCILE] = FLUX_DISABLED
    if RESTORE not in notes or known != before:
        wanted[RESTORE] = write_note(known)
    return wanted


def select(
    service: Object, hash_: str, before: Mapping[str, Any], *, latch: str | None = None
) -> Patch | None:
    """Narrow a Service to one hash, with a note of what was there before us.

    None when it is narrowed so already.
    """
    notes = annotations_of(service)
    wanted = _notes(service, before)
    if latch is not None and notes.get(LATCH) != latch:
        wanted[LATCH] = latch
    if pinned(service) == hash_ and not wanted:
        return None
    body: dict[str, Any] = {"spec": {"selector": {POD_TEMPLATE_HASH: hash_}}}
    return merge(Kind.SERVICE, service, body, wanted)


def widen(service: Object, before: Mapping[str, Any]) -> Patch | None:
    """Have a Service select every version, with a note of what was there before us.

    None when it does already.
    """
    wanted = _notes(service, before)
    if pinned(service) is None and not wanted:
        return None
    body: dict[str, Any] = {"spec": {"selector": {POD_TEMPLATE_HASH: None}}}
    return merge(Kind.SERVICE, service, body, wanted)


def restore(service: Object, hashes: Collection[str], before: Mapping[str, Any]) -> Patch | None:
    """Give a Service back what was there before us, where the hash in it is one of ours.

    None when nothing of ours is left.
    """
    notes = annotations_of(service)
    removed: dict[str, Any] = {key: None for key in (RESTORE, LATCH, EPOCH) if key in notes}
    told = LEFT_ALONE in before or applied_by_flux(service)
    if told and notes.get(FLUX_RECONCILE) == FLUX_DISABLED != before.get(LEFT_ALONE):
        removed[FLUX_RECONCILE] = before.get(LEFT_ALONE)
    ours = pinned(service) in hashes
    if not removed and not ours:
        return None
    body: dict[str, Any] = {}
    if ours:
        body = {"spec": {"selector": {POD_TEMPLATE_HASH: before.get(FIELD)}}}
    return merge(Kind.SERVICE, service, body, removed)
