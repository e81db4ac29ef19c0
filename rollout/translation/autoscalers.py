"""Whether an autoscaler's wanted size says something about the load of both versions."""

from typing import Any

from rollout.resources.objects import name_of
from rollout.resources.writes import Object
from rollout.translation.objects import Objects


def fixed_base(objects: Objects, target: Object | None) -> bool:
    """Whether an autoscaler follows something that need not fall as pods are added."""
    if target is None:
        return False
    for autoscaler in objects.autoscalers:
        spec = autoscaler.get("spec") or {}
        reference = spec.get("scaleTargetRef") or {}
        mine = (reference.get("kind"), reference.get("name")) == ("Deployment", name_of(target))
        if mine and any(_need_not_fall(metric) for metric in spec.get("metrics") or []):
            return True
    return False


def _need_not_fall(metric: Any) -> bool:
    type_ = str(metric.get("type", ""))
    detail = metric.get(type_[:1].lower() + type_[1:]) or {}
    target = detail.get("target") or {}
    return detail.get("name") == "memory" or target.get("type") == "Value"
