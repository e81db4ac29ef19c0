"""A Service as a router that shares: it selects both versions, and their pods make the share.

For services that no Ingress routes to. Each ready pod gets as many requests as any other, so how
much the candidate gets is how many of the pods are its own; the router only says whether it may
get anything: narrowed to the stable version, to both, or to the candidate.
"""

from rollout.engine.portions import exceeds, rounded_share, share_of
from rollout.resources.objects import annotations_of
from rollout.resources.words import RESTORE
from rollout.resources.writes import Write
from rollout.traffic.router import ALL, Settings, Split, Steered, UnreachableSplitError, View
from rollout.traffic.service import ServiceRouter, widen


class ReplicaRouter:
    """Shares by pods: a split is the width of the selector."""

    def __init__(self, settings: Settings) -> None:
        self._service = ServiceRouter(settings)
        self._stable_hash = settings.stable
        self._stable = settings.ready.get(settings.stable, 0)
        self._candidate = sum(settings.ready.values()) - self._stable

    def beside(self, name: str) -> None:
        """Nothing stands beside a Service that selects both versions."""
        return self._service.beside(name)

    def view(self, steered: Steered) -> View:
        """Read the share: none or all where it is narrowed, else what the ready pods make."""
        seen = self._service.view(steered)
        share = ALL if seen.hash not in {None, self._stable_hash} else 0
        if steered.own is not None and seen.hash is None and RESTORE in annotations_of(steered.own):
            share = rounded_share(self._candidate, self._stable)
        return View(seen.ready, share, share, seen.hash, seen.latch)

    def prepare(self, steered: Steered) -> tuple[Write, ...]:
        """A selector is there already."""
        return self._service.prepare(steered)

    def patches(self, steered: Steered, split: Split) -> tuple[Write, ...]:
        """Select the stable version for 0, the split's pods for 100, both in between.

        Raises UnreachableSplitError where the ready pods make more than the split's weight.
        """
        if split.weight in {0, ALL}:
            hash_ = split.hash if split.weight else self._stable_hash
            return self._service.patches(steered, Split(hash_, latch=split.latch))
        if exceeds(self._candidate, self._stable, split.weight):
            made = share_of(self._candidate, self._stable)
            raise UnreachableSplitError(f"the pods make {made:.3g} %, more than {split.weight} %")
        if steered.own is None:
            return ()
        patch = widen(steered.own, self._service.before(steered.own))
        return () if patch is None else (patch,)

    def restore(self, steered: Steered) -> tuple[Write, ...]:
        """Give the Service its own selector back."""
        return self._service.restore(steered)
