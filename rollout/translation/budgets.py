"""What a PodDisruptionBudget means while two versions of a service run side by side."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rollout.resources.objects import name_of
from rollout.resources.writes import Object


@dataclass(frozen=True)
class Doubt:
    """Why a budget does not do what it is there for, and how to mend it."""

    message: str
    mend: str
    blocks: bool = False
    """Whether no pod can be evicted at all, so that a drain of a node never ends."""


def covers(budget: Object, labels: Mapping[str, str]) -> bool:
    """Whether a budget counts pods with these labels."""
    selector = (budget.get("spec") or {}).get("selector")
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    rules = selector.get("matchExpressions") or []
    return all(labels.get(k) == v for k, v in wanted.items()) and all(
        _holds(rule, labels) for rule in rules
    )


def _holds(rule: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = str(rule["key"]), rule.get("values") or ()
    match rule["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def doubts(budget: Object, replicas: int) -> Iterator[Doubt]:
    """Say what is wrong with a budget of a Deployment of so many replicas.

    The candidate's pods bear the same labels, so a budget counts both versions together: with an
    absolute number a drain may evict all of stable's pods while the candidate's satisfy it.
    """
    spec, name = budget.get("spec") or {}, f"PodDisruptionBudget {name_of(budget)}"
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    share = "set maxUnavailable: 25% instead, which holds for any number of pods"
    if most in {0, "0%"} or least == "100%":
        said = f"maxUnavailable: {most}" if most is not None else f"minAvailable: {least}"
        yield Doubt(
            f"{name} has {said}: no pod can ever be evicted, so a drain of a node never ends",
            share,
            blocks=True,
        )
    if not isinstance(least, int) or least == 0:
        return
    if least >= replicas:
        yield Doubt(
            f"{name} has minAvailable: {least} for {replicas} replicas: no pod can be evicted, so "
            "a drain of a node never ends",
            share,
            blocks=True,
        )
        return
    yield Doubt(
        f"{name} has minAvailable: {least}, an absolute number: while a release runs the "
        "candidate's pods count too, and a drain may evict every pod of the stable version",
        share,
    )
