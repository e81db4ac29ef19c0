"""What steers traffic to the target: found in the cluster, or as the release has written down.

Two questions are kept apart. Which Services *select the target's pods*? All of them are narrowed
while a release runs, because the candidate's pods bear the same labels. And which of them *carry
the split*? Those that the user names, or all.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from rollout.resources.objects import labels_of, name_of
from rollout.resources.release import Resolved
from rollout.resources.rollout import ShareBy, Strategy, Traffic
from rollout.resources.words import ROLLOUT_LABEL
from rollout.resources.writes import Object
from rollout.traffic.ingress import backends, is_canary
from rollout.traffic.service import own_selector
from rollout.translation.objects import Objects


@dataclass(frozen=True)
class Found:
    """What steers traffic, and sentences about what is named and is not there."""

    services: tuple[Object, ...] = ()
    """All Services that select the target's pods."""
    carriers: tuple[str, ...] = ()
    """Names of those that carry the split."""
    ingresses: tuple[Object, ...] = ()
    missing: tuple[str, ...] = ()


def discover(
    objects: Objects,
    target: Object | None,
    resolved: Resolved | None,
    strategy: Strategy,
    traffic: Traffic,
) -> Found:
    """Find Services and Ingresses; once the release is resolved, also without its target."""
    labels = _pod_labels(target, resolved)
    if labels is None:
        return Found()
    matching = _matching(objects, labels, _preview_name(strategy))
    named, missing = _named(objects.services, traffic.services, "services: there is no Service")
    carriers = named if traffic.services or resolved else matching
    names = {name_of(service) for service in carriers}
    ingresses, lacking = _ingresses(objects, names, traffic, frozen=resolved is not None)
    others = [s for s in matching if name_of(s) not in names]
    if resolved is None:
        carriers = _routed_first(carriers, ingresses)
    return Found(
        services=(*carriers, *others),
        carriers=tuple(map(name_of, carriers)),
        ingresses=tuple(ingresses),
        missing=(*missing, *_elsewhere(named, labels), *lacking),
    )


def _routed_first(services: Iterable[Object], ingresses: Iterable[Object]) -> list[Object]:
    """Put those first that an Ingress names: metrics of the edge are counted by the first one."""
    routed = {name for ingress in ingresses for name in backends(ingress)}
    return sorted(services, key=lambda service: name_of(service) not in routed)


def shared(strategy: Strategy, traffic: Traffic, found: Found) -> tuple[Traffic, Found]:
    """Say what makes a canary's share; where pods do, no Ingress is weighted."""
    if strategy.canary is None:
        return traffic, found
    routed = bool(found.ingresses or traffic.ingresses)
    share_by = traffic.share_by or (ShareBy.INGRESS if routed else ShareBy.REPLICAS)
    kept = found if share_by is ShareBy.INGRESS else replace(found, ingresses=())
    return traffic.model_copy(update={"share_by": share_by}), kept


def _elsewhere(named: list[Object], labels: Mapping[str, str]) -> Iterator[str]:
    """Say which of the named Services have a selector, and one of other pods."""
    for service in named:
        own = own_selector(service)
        if own and not _selects(service, labels):
            yield (
                f"spec.traffic.services: Service {name_of(service)} does not select the target's "
                f"pods (its selector is {dict(own)}): name another, or correct its selector"
            )


def _pod_labels(target: Object | None, resolved: Resolved | None) -> Mapping[str, str] | None:
    if resolved is not None:
        return (resolved.stable_template.get("metadata") or {}).get("labels") or {}
    if target is None:
        return None
    return (target["spec"]["template"].get("metadata") or {}).get("labels") or {}


def _preview_name(strategy: Strategy) -> str | None:
    return strategy.blue_green.preview_service if strategy.blue_green else None


def _matching(objects: Objects, labels: Mapping[str, str], preview: str | None) -> list[Object]:
    return [
        service
        for service in objects.services
        if _selects(service, labels) and name_of(service) != preview
    ]


def _selects(service: Object, labels: Mapping[str, str]) -> bool:
    own = own_selector(service)
    ours = ROLLOUT_LABEL in labels_of(service)
    return bool(own) and not ours and all(labels.get(k) == v for k, v in own.items())


def _named(
    there: Iterable[Object], names: Iterable[str], what: str
) -> tuple[list[Object], list[str]]:
    by_name = {name_of(obj): obj for obj in there}
    lacking = [f"spec.traffic.{what} {name}" for name in names if name not in by_name]
    return [by_name[name] for name in names if name in by_name], lacking


def _ingresses(
    objects: Objects, names: set[str], traffic: Traffic, *, frozen: bool
) -> tuple[list[Object], list[str]]:
    if traffic.ingresses or frozen:
        return _named(objects.ingresses, traffic.ingresses, "ingresses: there is no Ingress")
    return [
        ingress
        for ingress in objects.ingresses
        if not is_canary(ingress, traffic.annotation_prefix) and names & set(backends(ingress))
    ], []
