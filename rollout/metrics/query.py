"""From a release and the pods around it to the question that a metrics provider is asked; pure."""

from collections.abc import Iterable
from typing import Final

from rollout.metrics.provider import PodAddress, Side, TrackQuery, pod_address
from rollout.resources.release import Release
from rollout.resources.words import POD_TEMPLATE_HASH
from rollout.resources.writes import Object
from rollout.traffic.side import side_service_name

NO_SERVICE: Final = ""


def track_query(release: Release, pods: Iterable[Object]) -> TrackQuery:
    """Say whose counters are wanted: each track by its hash, its pods and its Service.

    After the cutover the user's Service leads to the candidate, and none leads to stable.
    """
    resolved, hashes = release.status.resolved, release.status.hashes
    services = resolved.traffic.services if resolved else []
    service = services[0] if services else NO_SERVICE
    aside = side_service_name(service) if service else NO_SERVICE
    cut_over = "cutover" in release.status.marks
    living = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    return TrackQuery(
        namespace=release.metadata.namespace,
        stable=side_of(hashes.stable, NO_SERVICE if cut_over else service, living),
        candidate=side_of(hashes.candidate, service if cut_over else aside, living, service),
    )


def by_hash(pods: Iterable[Object]) -> dict[str, list[Object]]:
    """Sort pods by their hash."""
    found: dict[str, list[Object]] = {}
    for pod in pods:
        hash_ = (pod["metadata"].get("labels") or {}).get(POD_TEMPLATE_HASH)
        if hash_ is not None:
            found.setdefault(hash_, []).append(pod)
    return found


def side_of(
    hash_: str | None, service: str, pods: Iterable[Object], route: str = NO_SERVICE
) -> Side:
    """Give one track: its pods are those that bear its hash; None: there are none yet."""
    if hash_ is None:
        return Side("", service, route=route)
    return Side(hash_, service, tuple(_addresses(hash_, pods)), route)


def _addresses(hash_: str, pods: Iterable[Object]) -> Iterable[PodAddress]:
    for pod in pods:
        if (pod["metadata"].get("labels") or {}).get(POD_TEMPLATE_HASH) == hash_:
            address = pod_address(pod)
            if address is not None:
                yield address
