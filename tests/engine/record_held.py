"""Records how an earlier rollout leaves Deployments that it holds, by that very program.

    git archive 4be058d rollout | tar x -C FOLDER
    cd tests/engine
    PYTHONPATH=FOLDER python -P record_held.py > recorded/held-4be058d.json

4be058d is the first commit that has `trigger: Template`. What is written with it stays in clusters
for good, so a new recording adds a file and replaces none.
"""

import json
import sys
from typing import Any, Final

from rollout.resources.release import Phase, Release
from rollout.resources.words import RESTORE
from rollout.resources.writes import Kind, PatchType
from rollout.resources.writes import Patch as Write
from rollout.simulate.world import NAMESPACE, Judge, World

KINDS: Final = (
    *(Kind.ROLLOUT, Kind.RELEASE, Kind.DEPLOYMENT, Kind.REPLICA_SET, Kind.POD, Kind.SERVICE),
    *(Kind.INGRESS, Kind.INGRESS_CLASS),
)
PLAIN: Final[dict[str, Any]] = {"name": "web", "ports": [{"containerPort": 8080}]}
FULL: Final[dict[str, Any]] = {
    **PLAIN,
    "args": ["--name", "Überweisung"],
    "env": [{"name": "EMPTY", "value": ""}, {"name": "COUNT", "value": "1"}],
    "envFrom": [{"configMapRef": {"name": "web"}}],
    "resources": {"requests": {"cpu": "0.1", "memory": "1Gi"}, "limits": {}},
    "securityContext": {"runAsNonRoot": True, "capabilities": {"drop": ["ALL"]}},
    "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
}
TEMPLATES: Final[dict[str, dict[str, Any]]] = {
    "plain": {"containers": [PLAIN]},
    "full": {
        "containers": [FULL, {"name": "proxy", "image": "registry.local/proxy:1"}],
        "initContainers": [{"name": "prepare", "image": "registry.local/prepare:1"}],
        "volumes": [{"name": "scratch", "emptyDir": {}}],
        "nodeSelector": {},
        "terminationGracePeriodSeconds": 5,
    },
}


def objects(spec: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """A service, and its Rollout."""
    labels = {"app": "web"}
    noted = {"labels": labels, "annotations": {"prometheus.io/scrape": "true"}}
    rule = {"backend": {"service": {"name": "web", "port": {"number": 80}}}, "path": "/"}
    host = {"host": "web.local", "http": {"paths": [{**rule, "pathType": "Prefix"}]}}
    canary = {"steps": [{"weight": 50, "minDuration": "5s"}], "bake": "5s"}
    target = {"target": {"deployment": "web", "container": "web"}, "strategy": {"canary": canary}}
    return (
        body("apps/v1", "Deployment", template={"metadata": noted, "spec": image(spec, "v1")}),
        body("v1", "Service", selector=labels, ports=[{"port": 80, "targetPort": 8080}]),
        body("networking.k8s.io/v1", "IngressClass", controller="k8s.io/ingress-nginx"),
        body("networking.k8s.io/v1", "Ingress", ingressClassName="web", rules=[host]),
        body("rollout.dev/v1alpha1", "Rollout", **target, trigger="Template"),
    )


def body(version: str, kind: str, **spec: Any) -> dict[str, Any]:
    """An object of the service; all have its name."""
    if kind == "Deployment":
        spec |= {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}}
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": "web", "namespace": NAMESPACE},
        "spec": spec,
    }


def image(spec: dict[str, Any], tag: str) -> dict[str, Any]:
    """Pods of a version."""
    first, *others = spec["containers"]
    return {**spec, "containers": [{**first, "image": f"registry.local/web:{tag}"}, *others]}


def commit(world: World, spec: dict[str, Any], tag: str) -> None:
    """Change the image in the Deployment's template, as any tool does."""
    template = {"spec": {"template": {"spec": image(spec, tag)}}}
    world.cluster.apply(Write(Kind.DEPLOYMENT, NAMESPACE, "web", PatchType.STRATEGIC, template))
    world.kubelet.quiesce()


def is_held(world: World) -> bool:
    """Whether the Deployment is paused by us."""
    target = world.get(Kind.DEPLOYMENT, "web") or {"metadata": {}, "spec": {}}
    return bool(target["spec"].get("paused")) and RESTORE in target["metadata"]["annotations"]


def phases(world: World) -> list[Phase]:
    """The phases of all releases."""
    return [Release.model_validate(raw).status.phase for raw in world.all(Kind.RELEASE)]


def settle(world: World, *wanted: Phase) -> None:
    """Go on until the releases have ended so, the target is held, and nothing is left to do."""
    world.live("web", until=lambda: phases(world) == list(wanted) and is_held(world))
    while world.one_round("web")[0]:
        pass


def seen(world: World) -> dict[str, Any]:
    """All that a pass looks at, by kind, and what this program says of it."""
    _, tending = world.tend("web")
    found = {kind.value.kind: [bare(one) for one in world.all(kind)] for kind in KINDS}
    return {"said": tending.reason, "at": world.time.isoformat(), "objects": found}


def bare(one: Any) -> dict[str, Any]:
    """An object without who wrote which field, which says nothing here."""
    return {**one, "metadata": {**one["metadata"], "managedFields": []}}


def recorded() -> dict[str, Any]:
    """Each template, held while it serves, after it was shipped, and after it was taken back."""
    stories: dict[str, Any] = {}
    for name, spec in TEMPLATES.items():
        world = World(objects(spec), judge=Judge())
        settle(world)
        stories[f"{name}, never released"] = seen(world)
        commit(world, spec, "v2")
        settle(world, Phase.SUCCEEDED)
        stories[f"{name}, shipped"] = seen(world)
        bad = World(objects(spec), judge=Judge(bad_from=50))
        settle(bad)
        commit(bad, spec, "v2")
        settle(bad, Phase.ROLLED_BACK)
        stories[f"{name}, taken back"] = seen(bad)
    return stories


if __name__ == "__main__":
    lines = (f"{json.dumps(name)}: {json.dumps(story)}" for name, story in recorded().items())
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")
