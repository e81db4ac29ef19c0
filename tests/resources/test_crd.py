"""The CRDs are those of the models, and the real API server holds people to them."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rollout.kube.client import HttpCluster
from rollout.kube.errors import Invalid
from rollout.resources.crd import definitions, files
from rollout.resources.writes import Create, Kind, Patch, PatchType
from tests import build
from tests.controlplane.access import Access
from tests.scenarios.test_scenarios import install

MANIFESTS = Path(__file__).parent.parent.parent / "manifests" / "crds"


def test_the_committed_files_are_those_of_the_models() -> None:
    committed = {file.name: file.read_text() for file in MANIFESTS.glob("*.yaml")}
    assert committed == files(), "run `rollout crds --write manifests/crds`"


def test_every_field_is_described() -> None:
    lacking = [
        path
        for crd in definitions()
        for path in undescribed(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"], "")
    ]
    assert lacking == []


def undescribed(schema: dict[str, Any], path: str) -> Iterator[str]:
    for name, field in schema.get("properties", {}).items():
        top = path == "" and name in {"apiVersion", "kind", "metadata", "spec", "status"}
        if "description" not in field and not top:
            yield f"{path}.{name}"
        yield from undescribed(field, f"{path}.{name}")
    if isinstance(schema.get("items"), dict):
        yield from undescribed(schema["items"], f"{path}[]")


@pytest.fixture
def cluster(control_plane: Access) -> Iterator[HttpCluster]:
    found = HttpCluster.for_server(
        control_plane.url, control_plane.token(), str(control_plane.ca_file)
    )
    install(found)
    yield found
    found.close()


def changed(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return an object with one field changed; None removes it."""
    found = copy.deepcopy(body)
    *way, last = path.split(".")
    place: Any = found
    for part in way:
        place = place[int(part)] if part.isdigit() else place.setdefault(part, {})
    if value is None:
        place.pop(last)
    else:
        place[last] = value
    return found


def policy(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "rollout.dev/v1alpha1",
        "kind": "RolloutPolicy",
        "metadata": {"name": "p"},
        "spec": spec,
    }


ROLLOUT, RELEASE = build.rollout(), build.release()
STEPS = "spec.strategy.canary.steps"
BAD = [
    (changed(ROLLOUT, "spec.strategy", {}), "set exactly one of canary and blueGreen"),
    (
        changed(ROLLOUT, "spec.strategy.blueGreen", {}),
        "set exactly one of canary and blueGreen",
    ),
    (changed(ROLLOUT, STEPS, [{"weight": 50}, {"weight": 20}]), "rising weights"),
    (changed(ROLLOUT, STEPS, [{"weight": 20}, {"weight": 20}]), "rising weights"),
    (changed(ROLLOUT, STEPS, []), "should have at least 1 items"),
    (changed(ROLLOUT, STEPS, [{"weight": 0}]), "greater than or equal to 1"),
    (changed(ROLLOUT, STEPS, [{"weight": 100}]), "less than or equal to 99"),
    (
        changed(ROLLOUT, STEPS, [{"weight": 5, "minDuration": "2m", "maxDuration": "1m"}]),
        "raise maxDuration",
    ),
    (changed(ROLLOUT, STEPS, [{"weight": 5, "minDuration": "60"}]), "minDuration"),
    (changed(ROLLOUT, STEPS, [{"weight": 5, "onUndecided": "Wait"}]), '"Hold"'),
    (changed(ROLLOUT, STEPS, [{"weight": 5, "replicas": "half"}]), "replicas"),
    (changed(ROLLOUT, STEPS, [{"weight": 5, "replicas": 1.5}]), "replicas"),
    (changed(ROLLOUT, "spec.strategy.canary.bake", "5 minutes"), "bake"),
    (changed(ROLLOUT, "spec.target", None), "spec.target: Required value"),
    (changed(ROLLOUT, "spec.target.deployment", "Web_1"), "spec.target.deployment"),
    (changed(ROLLOUT, "spec.historyLimit", 0), "greater than or equal to 1"),
    (changed(ROLLOUT, "spec.trigger", "Git"), '"Command"'),
    (changed(ROLLOUT, "spec.adoption", "InPlace"), '"Surge"'),
    (changed(ROLLOUT, "spec.onNewRelease", "Queue"), '"Reject"'),
    (
        changed(changed(ROLLOUT, "spec.trigger", "Template"), "spec.onNewRelease", "Reject"),
        "leave onNewRelease out or set it to Supersede",
    ),
    (changed(ROLLOUT, "spec.policy", {}), "set exactly one of name and inline"),
    (changed(ROLLOUT, "spec.traffic.annotationPrefix", "-"), "annotationPrefix"),
    (changed(RELEASE, "spec.version", None), "set exactly one of version and template"),
    (changed(RELEASE, "spec.template", {}), "set exactly one of version and template"),
    (changed(RELEASE, "spec.version", "v 2"), "spec.version"),
    (changed(RELEASE, "spec.rollout", None), "spec.rollout: Required value"),
    (policy(interval="10ms"), "interval must be at least 100ms: raise it"),
    (policy(preset="envoy"), "preset envoy needs provider.kind Prometheus"),
    (policy(preset="nginx"), '"http"'),
    (policy(metrics=[{"name": "a", "kind": "Value", "query": "1", "max": 1}]), "set the provider"),
    (policy(metrics=[{"name": "a", "kind": "Ratio"}, {"name": "a", "kind": "Ratio"}]), "Duplicate"),
    (policy(metrics=[{"name": "a", "kind": "Gauge"}]), '"Ratio"'),
    (policy(noData={"then": "Wait"}), '"Pause"'),
    (policy(alpha=0.5), "alpha"),
]


@pytest.mark.controlplane
@pytest.mark.parametrize(("body", "said"), BAD, ids=lambda v: v if isinstance(v, str) else "")
def test_a_bad_object_is_refused_with_the_fix(
    cluster: HttpCluster, namespace: str, body: dict[str, Any], said: str
) -> None:
    kind = next(kind for kind in Kind if kind.value.kind == body["kind"])
    with pytest.raises(Invalid) as refused:
        cluster.apply(Create(kind, namespace, body))
    assert said in str(refused.value)


@pytest.mark.controlplane
def test_defaults_are_those_of_the_models(cluster: HttpCluster, namespace: str) -> None:
    body = changed(ROLLOUT, "spec.strategy", {"canary": {}})
    spec = cluster.apply(Create(Kind.ROLLOUT, namespace, body))["spec"]
    canary = spec["strategy"]["canary"]
    assert [step["weight"] for step in canary["steps"]] == [5, 20, 50]
    assert (canary["drain"], canary["bake"]) == ("5s", "5m")
    assert (spec["trigger"], spec["adoption"], spec["historyLimit"]) == ("Command", "Surge", 10)


@pytest.mark.controlplane
@pytest.mark.parametrize(
    ("trigger", "other"),
    [("Template", None), ("Template", "Supersede"), ("Command", "Supersede"), ("Command", None)],
)
def test_what_a_new_release_does_may_be_left_out(
    cluster: HttpCluster, namespace: str, trigger: str, other: str | None
) -> None:
    chosen = {"onNewRelease": other} if other else {}
    body = {**ROLLOUT, "spec": {**ROLLOUT["spec"], "trigger": trigger, **chosen}}
    spec = cluster.apply(Create(Kind.ROLLOUT, namespace, body))["spec"]
    assert (spec["trigger"], spec.get("onNewRelease")) == (trigger, other)


def act(cluster: HttpCluster, namespace: str, type_: str, number: int) -> None:
    action = {"id": f"a{number}", "type": type_, "by": "ana", "at": "2026-01-01T00:00:00Z"}
    patch = Patch(Kind.RELEASE, namespace, "web-v2", PatchType.MERGE, {"spec": {"action": action}})
    cluster.apply(patch)


@pytest.mark.controlplane
def test_a_release_cannot_be_changed_but_for_its_action(
    cluster: HttpCluster, namespace: str
) -> None:
    cluster.apply(Create(Kind.RELEASE, namespace, RELEASE))
    for change in ({"version": "v3"}, {"rollout": "other"}, {"reason": "because"}):
        with pytest.raises(Invalid, match="cannot be changed but for its action: start a new one"):
            cluster.apply(
                Patch(Kind.RELEASE, namespace, "web-v2", PatchType.MERGE, {"spec": change})
            )
    act(cluster, namespace, "pause", 1)
    act(cluster, namespace, "rollback", 2)
    with pytest.raises(Invalid, match="told to roll back"):
        act(cluster, namespace, "promote", 3)


@pytest.mark.controlplane
def test_kubectl_answers_the_first_question(
    control_plane: Access, cluster: HttpCluster, namespace: str
) -> None:
    cluster.apply(Create(Kind.ROLLOUT, namespace, ROLLOUT))
    cluster.apply(Create(Kind.RELEASE, namespace, RELEASE))
    head = control_plane.kubectl("get", "rel", namespace=namespace).stdout.splitlines()[0]
    assert head.split() == [
        *("NAME", "ROLLOUT", "VERSION", "STRATEGY"),
        *("PHASE", "STEP", "WEIGHT", "VERDICT", "AGE"),
    ]
    shown = control_plane.kubectl("get", "delivery", namespace=namespace).stdout
    assert "release.rollout.dev/web-v2" in shown
    assert "rollout.rollout.dev/web" in shown
