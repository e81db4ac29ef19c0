"""The arithmetic of rolling updates: surge, unavailability, and proportional scaling."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from rollout.resources.objects import annotations_of
from rollout.resources.writes import Object
from rollout.simulate.objects import EMPTY


def is_rolling(deployment: Object) -> bool:
    """Whether the strategy is RollingUpdate."""
    return bool(deployment["spec"]["strategy"]["type"] == "RollingUpdate")


def fenceposts(deployment: Object) -> tuple[int, int]:
    """Pods that may be there above the size, and pods that may be missing; never both 0."""
    update = deployment["spec"]["strategy"].get("rollingUpdate") or EMPTY
    replicas = deployment["spec"]["replicas"]
    surge = _scaled(update.get("maxSurge", 0), replicas, up=True)
    unavailable = _scaled(update.get("maxUnavailable", 0), replicas, up=False)
    return (surge, 1) if surge == 0 and unavailable == 0 else (surge, unavailable)


def _scaled(value: Any, total: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    percent = int(value.rstrip("%"))
    return math.ceil(percent * total / 100) if up else percent * total // 100


def max_surge(deployment: Object) -> int:
    """Pods above the wanted size that a rolling update may make."""
    return fenceposts(deployment)[0] if is_rolling(deployment) else 0


def max_unavailable(deployment: Object) -> int:
    """Pods below the wanted size that a rolling update may leave."""
    replicas: int = deployment["spec"]["replicas"]
    if not is_rolling(deployment) or replicas == 0:
        return 0
    return min(fenceposts(deployment)[1], replicas)


def asked(replica_sets: Iterable[Object]) -> int:
    """Sum of the sizes that the ReplicaSets ask for."""
    return sum(rs["spec"]["replicas"] for rs in replica_sets)


def counted(replica_sets: Iterable[Object], field: str) -> int:
    """Sum of a count in the ReplicaSets' status."""
    return sum((rs.get("status") or EMPTY).get(field, 0) for rs in replica_sets)


def active(replica_sets: Iterable[Object]) -> list[Object]:
    """ReplicaSets that ask for pods."""
    return [rs for rs in replica_sets if rs["spec"]["replicas"] > 0]


def new_size(deployment: Object, everyone: Sequence[Object], newest: Object) -> int:
    """Size that the new ReplicaSet may have now."""
    wanted: int = deployment["spec"]["replicas"]
    size: int = newest["spec"]["replicas"]
    if not is_rolling(deployment):
        return wanted
    room = wanted + max_surge(deployment) - asked(everyone)
    return size if room <= 0 else size + min(room, wanted - size)


def proportional_sizes(
    deployment: Object, replica_sets: Sequence[Object], maximum_annotation: str
) -> list[tuple[Object, int]]:
    """Sizes of all active ReplicaSets after the Deployment was scaled in mid-update.

    What cannot be divided goes to the largest.
    """
    wanted = deployment["spec"]["replicas"]
    allowed = wanted + max_surge(deployment) if wanted > 0 else 0
    to_add = allowed - asked(replica_sets)
    ordered = _largest_first(replica_sets, newer_first=to_add > 0) if to_add else list(replica_sets)
    sizes, added = [], 0
    for rs in ordered:
        share = _share(deployment, rs, maximum_annotation, to_add - added) if to_add else 0
        sizes.append(rs["spec"]["replicas"] + share)
        added += share
    if sizes and to_add:
        sizes[0] = max(sizes[0] + to_add - added, 0)
    return list(zip(ordered, sizes, strict=True))


def _largest_first(replica_sets: Sequence[Object], *, newer_first: bool) -> list[Object]:
    by_name = sorted(replica_sets, key=lambda rs: rs["metadata"]["name"], reverse=newer_first)
    by_age = sorted(
        by_name, key=lambda rs: rs["metadata"]["creationTimestamp"], reverse=newer_first
    )
    return sorted(by_age, key=lambda rs: rs["spec"]["replicas"], reverse=True)


def _share(deployment: Object, rs: Object, maximum_annotation: str, left: int) -> int:
    if left == 0:
        return 0
    fraction = _fraction(deployment, rs, maximum_annotation)
    return min(fraction, left) if left > 0 else max(fraction, left)


def _fraction(deployment: Object, rs: Object, maximum_annotation: str) -> int:
    size: int = rs["spec"]["replicas"]
    if deployment["spec"]["replicas"] == 0:
        return -size
    text = annotations_of(rs).get(maximum_annotation, "")
    before = int(text) if text.isdigit() else 0
    before = before or deployment["status"].get("replicas", 0)
    if before == 0:
        return 0
    largest = deployment["spec"]["replicas"] + max_surge(deployment)
    return _rounded(size * largest / before) - size


def _rounded(value: float) -> int:
    return math.floor(value + 0.5) if value >= 0 else math.ceil(value - 0.5)
