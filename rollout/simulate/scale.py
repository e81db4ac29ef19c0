"""The scale subresource: a Deployment, or a custom kind, seen as a number of replicas."""

from collections.abc import Mapping
from typing import Any, Final

from rollout.resources.writes import Object, Resource
from rollout.simulate import refusals
from rollout.simulate.catalog import ApiResource, ScalePaths
from rollout.simulate.objects import EMPTY, Json, dig, put

SCALE: Final = Resource("Scale", "scales", "autoscaling")


def scale_paths(api: ApiResource) -> ScalePaths:
    """Where the kind keeps its replicas. Raises NotFound when it cannot be scaled."""
    if api.scale is None:
        raise refusals.no_such_path()
    return api.scale


def scale_of(api: ApiResource, obj: Object) -> Json:
    """The object as a Scale."""
    paths, meta = scale_paths(api), obj["metadata"]
    shown = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status: Json = {"replicas": dig(obj, *paths.status_replicas) or 0}
    selector = dig(obj, *paths.selector) if paths.selector else None
    if selector:
        status["selector"] = selector if isinstance(selector, str) else _selector_text(selector)
    return {
        "kind": SCALE.kind,
        "apiVersion": SCALE.api_version,
        "metadata": {key: meta[key] for key in shown if key in meta},
        "spec": {"replicas": replicas} if (replicas := dig(obj, *paths.replicas)) else {},
        "status": status,
    }


def scaled(api: ApiResource, obj: Object, scale: Object) -> Json:
    """The object with the replicas of a Scale. Raises Invalid."""
    replicas: Any = dig(scale, "spec", "replicas") or 0
    if not isinstance(replicas, int) or replicas < 0:
        error = refusals.invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise refusals.invalid_object(SCALE, obj["metadata"]["name"], [error])
    new = put(obj, scale_paths(api).replicas, replicas)
    version = dig(scale, "metadata", "resourceVersion")
    return put(new, ("metadata", "resourceVersion"), version) if version else new


def _selector_text(selector: Mapping[str, Any]) -> str:
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or EMPTY).items()]
    parts += [_expression_text(each) for each in selector.get("matchExpressions") or ()]
    return ",".join(sorted(parts))


def _expression_text(expression: Mapping[str, Any]) -> str:
    key: str = expression["key"]
    values = ",".join(sorted(expression.get("values") or ()))
    words = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})"}
    others = {"Exists": key, "DoesNotExist": f"!{key}"}
    return {**words, **others}[str(expression["operator"])]
