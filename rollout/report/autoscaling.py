"""An autoscaler in words: its figures, its conditions, and what a release does with it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from rollout.resources.objects import labels_of, name_of
from rollout.resources.writes import Object

UNKNOWN: Final = "<unknown>"
KEDA: Final = "scaledobject.keda.sh/name"

BY_LOAD: Final = (
    "It counts the ready pods of both versions, so the size that it wants is that for the whole "
    "load: the stable version keeps it, and the candidate takes its own from it at each step. A "
    "release never writes minReplicas, maxReplicas or the Deployment's replicas."
)
FIXED: Final = (
    "One of its metrics need not fall as pods are added (memory, or a plain Value), so while a "
    "release runs the candidate's size goes by the size that the Deployment had at its start. A "
    "release never writes minReplicas, maxReplicas or the Deployment's replicas."
)


@dataclass(frozen=True)
class MetricWords:
    """What one metric is, and what it should be."""

    name: str
    current: str
    target: str


@dataclass(frozen=True)
class ScalerRow:
    """The figures of one autoscaler."""

    name: str
    minimum: int
    maximum: int
    current: int
    desired: int
    metrics: tuple[MetricWords, ...]
    conditions: tuple[str, ...]
    release: str

    def to_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return asdict(self)


def scaler_row(autoscaler: Object, *, fixed: bool) -> ScalerRow:
    """Word an autoscaler; `fixed`: it follows something that need not fall as pods are added."""
    spec, status = autoscaler.get("spec") or {}, autoscaler.get("status") or {}
    return ScalerRow(
        name=name_of(autoscaler),
        minimum=int(spec.get("minReplicas") or 1),
        maximum=int(spec.get("maxReplicas", 0)),
        current=int(status.get("currentReplicas", 0)),
        desired=int(status.get("desiredReplicas", 0)),
        metrics=tuple(_metrics(spec.get("metrics") or (), status.get("currentMetrics") or ())),
        conditions=tuple(_condition(c) for c in status.get("conditions") or ()),
        release=FIXED if fixed else BY_LOAD,
    )


def how_to_change(autoscaler: Object, namespace: str) -> str:
    """Say how the bounds of an autoscaler are changed, by whoever made it."""
    keda = labels_of(autoscaler).get(KEDA)
    kind, name = ("scaledobject", keda) if keda else ("hpa", name_of(autoscaler))
    low, high = ("minReplicaCount", "maxReplicaCount") if keda else ("minReplicas", "maxReplicas")
    body = f'{{"spec":{{"{low}":MIN,"{high}":MAX}}}}'
    return f"kubectl patch {kind} {name} -n {namespace} --type merge -p '{body}'"


def _metrics(
    wanted: Sequence[Mapping[str, Any]], seen: Sequence[Mapping[str, Any]]
) -> list[MetricWords]:
    known = {_name(metric): metric for metric in seen}
    return [
        MetricWords(
            _name(metric),
            _value(_detail(known.get(_name(metric), {})).get("current") or {}),
            _value(_detail(metric).get("target") or {}),
        )
        for metric in wanted
    ]


def _detail(metric: Mapping[str, Any]) -> Mapping[str, Any]:
    type_ = str(metric.get("type", ""))
    found: Mapping[str, Any] = metric.get(type_[:1].lower() + type_[1:]) or {}
    return found


def _name(metric: Mapping[str, Any]) -> str:
    detail = _detail(metric)
    name = detail.get("name") or (detail.get("metric") or {}).get("name") or "?"
    inside = f" of {detail['container']}" if detail.get("container") else ""
    return f"{name}{inside}"


def _value(value: Mapping[str, Any]) -> str:
    if value.get("averageUtilization") is not None:
        return f"{value['averageUtilization']}%"
    return str(value.get("averageValue") or value.get("value") or UNKNOWN)


def _condition(condition: Mapping[str, Any]) -> str:
    said = f"{condition['type']} {condition['status']}"
    reason, message = condition.get("reason", ""), condition.get("message", "")
    return f"{said} ({reason}): {message}" if reason else said
