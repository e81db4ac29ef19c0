"""Disruption budgets: whether a pod may be evicted now."""

from collections.abc import Sequence
from typing import Any

from rollout.resources.objects import is_terminating, labels_of, namespace_of
from rollout.resources.writes import Object
from rollout.simulate.objects import dig, is_ready
from rollout.simulate.selectors import matches_structure
from rollout.simulate.store import Store


def blocking_budget(pod: Object, store: Store) -> Object | None:
    """The budget that forbids to evict the pod now, if there is one."""
    if not is_ready(pod):
        return None
    namespace = namespace_of(pod)
    pods = store.all("pods", namespace)
    for budget in store.all("poddisruptionbudgets.policy", namespace):
        selector = dig(budget, "spec", "selector")
        if selector is not None and matches_structure(selector, labels_of(pod)):
            covered = [each for each in pods if matches_structure(selector, labels_of(each))]
            if _allowed(budget, covered) < 1:
                return budget
    return None


def _allowed(budget: Object, pods: Sequence[Object]) -> int:
    healthy = sum(is_ready(pod) and not is_terminating(pod) for pod in pods)
    expected = len(pods)
    least = dig(budget, "spec", "minAvailable")
    if least is not None:
        return healthy - _scaled(least, expected)
    most = dig(budget, "spec", "maxUnavailable")
    return healthy - (expected - _scaled(1 if most is None else most, expected))


def _scaled(value: Any, total: int) -> int:
    """A count, or a percentage of the total, rounded up as the real controller does."""
    if isinstance(value, int):
        return value
    return -(-int(value.rstrip("%")) * total // 100)
