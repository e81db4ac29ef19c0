"""A first Rollout for a Deployment, worded from what the cluster has: as YAML to read and keep."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rollout.commands.again import NOT_YET, release_body
from rollout.commands.early import read
from rollout.commands.refusal import CommandRefusedError
from rollout.commands.request import Request
from rollout.commands.rollouts import rollout_for, strategy_named
from rollout.engine.admission import objections
from rollout.engine.snapshot import Snapshot
from rollout.kube.cluster import Cluster
from rollout.kube.errors import ClusterError
from rollout.metrics.provider import PATH, PORT, SCRAPE
from rollout.report.commented import comment, commented
from rollout.resources.crd import structural
from rollout.resources.objects import image_of, name_of, uid_of
from rollout.resources.policy import BUILT_IN, RolloutPolicySpec
from rollout.resources.rollout import RolloutSpec
from rollout.resources.words import API_VERSION
from rollout.resources.writes import Create, Delete, Kind, Object
from rollout.translation.autoscalers import of_target
from rollout.translation.objects import Objects
from rollout.translation.snapshots import snapshot


@dataclass(frozen=True)
class Wish:
    """What a person has said of the Rollout that is to be worded."""

    deployment: str | None = None
    name: str | None = None
    strategy: str | None = None
    container: str | None = None
    policy: bool = False
    """Whether a RolloutPolicy is worded too, to be changed."""


@dataclass(frozen=True)
class Worded:
    """The objects, as YAML with comments, and what they rest on."""

    objects: tuple[Object, ...]
    text: str
    found: tuple[str, ...]
    assumed: tuple[str, ...]
    against: tuple[str, ...]
    """What would keep a release from beginning, each with its mend."""


def word(cluster: Cluster, namespace: str, wish: Wish) -> Worded:
    """Word a Rollout for a Deployment that has none. Nothing is written.

    Raises CommandRefusedError when it has one, or it is not clear which Deployment is meant.
    """
    request = Request("", rollout=wish.name, deployment=wish.deployment)
    rollout, _ = rollout_for(cluster, namespace, request)
    if "uid" in rollout["metadata"]:
        name = name_of(rollout)
        raise CommandRefusedError(
            f"Deployment {rollout['spec']['target']['deployment']} has Rollout {name} already: "
            f"`rollout doctor {name}` looks at it, `kubectl edit rollout {name}` changes it"
        )
    objects = _objects(cluster, namespace, rollout)
    container, which = _container(objects, wish)
    chosen, why = _strategy(objects, wish, container)
    spec = {
        "target": {"deployment": rollout["spec"]["target"]["deployment"], "container": container},
        "strategy": chosen,
    }
    view = _view(objects, spec)
    found = (*_found(view, objects),)
    assumed = (*which, why, *_metrics(view, policy=wish.policy))
    against = tuple(one.message for one in objections(view) if not one.passing)
    made = _bodies(name_of(rollout), namespace, spec, policy=wish.policy)
    return Worded(made, _text(made, found, assumed, against), found, assumed, against)


def _objects(cluster: Cluster, namespace: str, rollout: Object) -> Objects:
    body = release_body(rollout, NOT_YET, {"version": NOT_YET})
    found = read(cluster, namespace, rollout, body)
    scalers = cluster.list(Kind.HORIZONTAL_POD_AUTOSCALER, namespace).items
    return replace(found, autoscalers=scalers)


def _view(objects: Objects, spec: dict[str, Any]) -> Snapshot:
    rollout = {**(objects.rollout or {}), "spec": spec}
    return snapshot(replace(objects, rollout=rollout))


def _container(objects: Objects, wish: Wish) -> tuple[str, list[str]]:
    """Choose the container whose image is the version, and say why where there are several."""
    target = _target(objects)
    containers = target["spec"]["template"]["spec"].get("containers") or []
    names = [str(container["name"]) for container in containers]
    if wish.container is not None and wish.container not in names:
        raise CommandRefusedError(
            f"--container {wish.container!r}: Deployment {name_of(target)} has no such container "
            f"(it has: {', '.join(names)})"
        )
    if wish.container is not None or len(names) == 1:
        return wish.container or names[0], []
    with_port = [str(one["name"]) for one in containers if one.get("ports")]
    chosen = next(iter([n for n in names if n == name_of(target)] or with_port or names))
    others = ", ".join(name for name in names if name != chosen)
    return chosen, [f"the version is the image of container {chosen} (there are also: {others})"]


def _target(objects: Objects) -> Object:
    name = objects.rollout["spec"]["target"]["deployment"] if objects.rollout else ""
    target = objects.named("deployments", name)
    if target is None:
        raise CommandRefusedError(f"Deployment {name} was deleted at this moment: look again")
    return target


def _strategy(objects: Objects, wish: Wish, container: str) -> tuple[dict[str, Any], str]:
    """Choose a strategy that the cluster can carry out, with its defaults written out."""
    target = {"deployment": name_of(_target(objects)), "container": container}
    if wish.strategy is not None:
        return _whole(strategy_named(wish.strategy)), f"strategy {wish.strategy}, as you said"
    view = _view(objects, {"target": target, "strategy": strategy_named("canary")})
    if view.routes and all(route.class_known for route in view.routes):
        return _whole(strategy_named("canary")), "strategy canary, as an Ingress can weigh requests"
    return (
        _whole(strategy_named("blue-green")),
        "strategy blue-green, as no Ingress that is known to weigh requests routes to the service",
    )


def _whole(strategy: dict[str, Any]) -> dict[str, Any]:
    target = {"deployment": "any"}
    spec = RolloutSpec.model_validate({"target": target, "strategy": strategy})
    whole: dict[str, Any] = spec.to_json()["strategy"]
    return whole


def _found(view: Snapshot, objects: Objects) -> Iterator[str]:
    target = view.target
    image = image_of(target.template, view.container) if target else ""
    yield f"container {view.container} with image {image}"
    if target is not None and target.manager:
        yield f"{target.manager} owns the Deployment: bring each version there too"
    yield f"Services: {_names(service.name for service in view.services)}"
    ways = [f"{route.ingress} (class {route.ingress_class or 'none'})" for route in view.routes]
    yield f"Ingresses: {_names(ways)}"
    followed = "memory or a Value metric" if view.fixed_base else "the load"
    for scaler in of_target(objects.autoscalers, view.target_name):
        yield f"autoscaler {name_of(scaler)}, which follows {followed}"


def _names(names: Iterator[str] | Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _metrics(view: Snapshot, *, policy: bool) -> Iterator[str]:
    notes = (view.target.template.get("metadata") or {}).get("annotations") if view.target else None
    notes = notes or {}
    if not policy:
        yield f"policy {BUILT_IN}: errors and latency (`rollout policy show`)"
    if notes.get(SCRAPE) == "true":
        port = notes.get(PORT, "its only port")
        yield f"metrics are read from the pods, at {port}{notes.get(PATH, '/metrics')}"
    else:
        yield (
            f"metrics are read from the pods, but the pod template has no annotation {SCRAPE}: "
            f'"true": add it with {PORT}, or give the policy a Prometheus'
        )


def _bodies(
    name: str, namespace: str, spec: dict[str, Any], *, policy: bool
) -> tuple[dict[str, Any], ...]:
    place = {"name": name, "namespace": namespace}
    if not policy:
        return (_body("Rollout", place, spec),)
    judged = _body("RolloutPolicy", place, RolloutPolicySpec().to_json())
    return judged, _body("Rollout", place, {**spec, "policy": {"name": name}})


def _body(kind: str, place: dict[str, str], spec: dict[str, Any]) -> dict[str, Any]:
    """Word an object; none shares a part with another, which YAML would show as an alias."""
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {**place}, "spec": spec}


def _text(
    bodies: Sequence[Object],
    found: Sequence[str],
    assumed: Sequence[str],
    against: Sequence[str],
) -> str:
    lines = ["# Worded by `rollout init` from what is in the cluster."]
    for title, sentences in (("Found", found), ("Assumed", assumed), ("In the way", against)):
        if sentences:
            lines.append(f"# {title}:")
            lines += [line for said in sentences for line in comment(f"- {said}")]
    for body in bodies:
        lines += ["---", *_document(body)]
    return "\n".join(lines) + "\n"


def _document(body: Object) -> Iterator[str]:
    spec = RolloutSpec if body["kind"] == "Rollout" else RolloutPolicySpec
    yield from commented(body, {"properties": {"spec": structural(spec)}})


def refuse_what_cannot_begin(worded: Worded) -> None:
    """Raise CommandRefusedError where a release could not begin, with all that is in the way."""
    if worded.against:
        raise CommandRefusedError("; ".join(worded.against))


def apply(cluster: Cluster, namespace: str, worded: Worded) -> None:
    """Create all objects, or none.

    Raises CommandRefusedError where a release could not begin, ClusterError for the cluster.
    """
    refuse_what_cannot_begin(worded)
    made: list[Object] = []
    try:
        for body in worded.objects:
            kind = Kind.ROLLOUT if body["kind"] == "Rollout" else Kind.ROLLOUT_POLICY
            made.append(cluster.apply(Create(kind, namespace, body)))
    except ClusterError:
        for body in made:
            kind = Kind.ROLLOUT if body["kind"] == "Rollout" else Kind.ROLLOUT_POLICY
            cluster.apply(Delete(kind, namespace, name_of(body), uid=uid_of(body)))
        raise
