"""Whether an autoscaler's wanted size says something about the load of both versions."""

from collections.abc import Iterable
from typing import Any

from rollout.resources.objects import name_of
from rollout.resources.writes import Object
from rollout.translation.objects import Objects


def fixed_base(objects: Objects, target: Object | None) -> bool:
    """Whether an autoscaler follows something that need not fall as pods are added."""
    if target is None:
        return False
    return any(map(follows_fixed, of_target(objects.autoscalers, name_of(target))))


def of_target(autoscalers: Iterable[Object], deployment: str) -> list[Object]:
    """Give the autoscalers of a Deployment."""
    return [
        autoscaler
        for autoscaler in autoscalers
        for reference in [(autoscaler.get("spec") or {}).get("scaleTargetRef") or {}]
        if (reference.get("kind"), reference.get("name")) == ("Deployment", deployment)
    ]


def follows_fixed(autoscaler: Object) -> bool:
    """Whether a metric of an autoscaler need not fall as pods are added."""
    return any(map(_need_not_fall, (autoscaler.get("spec") or {}).get("metrics") or []))


def _need_not_fall(metric: Any) -> bool:
    type_ = str(metric.get("type", ""))
    detail = metric.get(type_[:1].lower() + type_[1:]) or {}
    target = detail.get("target") or {}
    return detail.get("name") == "memory" or target.get("type") == "Value"
