"""The printed commands, typed into a real kubectl against the real API server.

Their controllers are not there: what Argo Rollouts and Flagger would have made is put there by
hand, and so is the one thing that Argo Rollouts does in answer. Pods have no nodes, so nothing is
waited for. What is judged is what each command leaves behind.
"""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml

from rollout.convert.conversion import Conversion, convert
from rollout.convert.documents import documents
from rollout.convert.draft import text
from rollout.resources.crd import definitions
from tests.controlplane.access import Access
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.components import Component
from tests.convert import CASES
from tests.convert.kinds import define
from tests.convert.upstream import ARGO, FLAGGER, folder

pytestmark = pytest.mark.controlplane

HASH: Final = {"rollouts-pod-template-hash": "5f6d8c"}


def theirs() -> Iterator[dict[str, Any]]:
    yield yaml.safe_load((folder(ARGO) / "manifests/crds/rollout-crd.yaml").read_text())
    every = yaml.safe_load_all((folder(FLAGGER) / "artifacts/flagger/crd.yaml").read_text())
    yield next(one for one in every if one["spec"]["names"]["kind"] == "Canary")


@pytest.fixture(scope="module")
def access(kubectl_program: Path) -> Iterator[Access]:
    """A control plane with the kinds of all three projects, of which two are named the same."""
    assert kubectl_program.exists()
    with ControlPlane() as plane, plane.access.client() as client:
        define(client, *definitions(), *theirs())
        # The collector of garbage looks for new kinds every 30 s, and once at its start.
        plane.restart(Component.CONTROLLER_MANAGER)
        yield plane.access


class Cluster:
    """A namespace, seen through the API and through kubectl."""

    def __init__(self, access: Access, client: httpx.Client, namespace: str) -> None:
        self.access, self.client, self.namespace = access, client, namespace

    def place(self, group: str, plural: str) -> str:
        root = "/api/v1" if group == "v1" else f"/apis/{group}"
        return f"{root}/namespaces/{self.namespace}/{plural}"

    def create(self, group: str, plural: str, body: dict[str, Any]) -> dict[str, Any]:
        placed = {**body, "metadata": {**body["metadata"], "namespace": self.namespace}}
        answer = self.client.post(self.place(group, plural), json=placed)
        answer.raise_for_status()
        made: dict[str, Any] = answer.json()
        return made

    def get(self, group: str, plural: str, name: str) -> dict[str, Any] | None:
        answer = self.client.get(f"{self.place(group, plural)}/{name}")
        found: dict[str, Any] | None = answer.json() if answer.is_success else None
        return found

    def names(self, group: str, plural: str) -> set[str]:
        items = self.client.get(self.place(group, plural)).json()["items"]
        return {one["metadata"]["name"] for one in items}

    def kubectl(self, words: list[str], stdin: str | None = None) -> str:
        done = self.access.kubectl(*words, "-n", self.namespace, stdin=stdin)
        return str(done.stdout)

    def run(self, command: str, converted: Conversion, work: Path) -> str:
        """Run one printed command; `rollout` is played by what it has converted."""
        for old in (" -n shop", " -n test"):
            command = command.replace(old, "")
        first, _, rest = command.partition(" | ")
        words = shlex.split(rest or first)[1:]
        stdin = None
        if rest:
            kind = shlex.split(first)[-1]
            stdin = bare([one.body for one in converted.drafts if one.kind == kind])
        if "converted.yaml" in words:
            (work / "converted.yaml").write_text(bare(list(converted.objects)))
            words[words.index("converted.yaml")] = str(work / "converted.yaml")
        return self.kubectl(words, stdin)


def bare(bodies: list[dict[str, Any]]) -> str:
    """Objects without their namespace, for one of the test's own."""
    for body in bodies:
        body["metadata"].pop("namespace", None)
    return yaml.safe_dump_all(bodies)


def moved(case: str) -> tuple[Conversion, list[str], dict[str, Any]]:
    (file,) = [one for one in CASES if one.stem == case]
    read = documents(file.read_text(), file.name)
    found = convert(read)
    assert text(found.drafts) == found.text
    return found, [one.command for _, steps in found.steps for one in steps], dict(read[0].body)


def owner(made: dict[str, Any]) -> list[dict[str, Any]]:
    keys = ("apiVersion", "kind")
    named = {key: made[key] for key in keys} | {"name": made["metadata"]["name"]}
    return [{**named, "uid": made["metadata"]["uid"], "controller": True}]


def service(name: str, selector: dict[str, str], owners: list[dict[str, Any]]) -> dict[str, Any]:
    metadata = {"name": name, "ownerReferences": owners}
    spec = {"selector": selector, "ports": [{"name": "http", "port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def template(labels: dict[str, str]) -> dict[str, Any]:
    return {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "app", "image": "registry.example/app:v1"}]},
    }


@pytest.fixture
def cluster(access: Access, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    name = re.sub(r"[^a-z]+", "-", request.node.name)
    with access.client() as client:
        body = {"metadata": {"name": name}}
        client.post("/api/v1/namespaces", json=body).raise_for_status()
        yield Cluster(access, client, name)


def test_a_service_leaves_argo_rollouts(cluster: Cluster, tmp_path: Path) -> None:
    converted, commands, body = moved("argo-nginx-canary")
    made = cluster.create("argoproj.io/v1alpha1", "rollouts", body)
    labels = {"app": "checkout", **HASH}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template(labels)}
    metadata = {"name": "checkout-5f6d8c", "labels": labels, "ownerReferences": owner(made)}
    cluster.create("apps/v1", "replicasets", {"metadata": metadata, "spec": spec})
    stranger = {"name": "other-5f6d8c", "labels": {"app": "other", **HASH}}
    cluster.create("apps/v1", "replicasets", {"metadata": stranger, "spec": spec})
    for name in ("checkout", "checkout-canary"):
        cluster.create("v1", "services", service(name, labels, []))
    route = {"metadata": {"name": "checkout-checkout-canary"}, "spec": {"defaultBackend": {
        "service": {"name": "checkout-canary", "port": {"number": 80}}}}}  # fmt: skip
    cluster.create("networking.k8s.io/v1", "ingresses", route)
    for command in commands:
        if "rollout status" in command or command.startswith("rollout doctor"):
            continue
        said = cluster.run(command, converted, tmp_path)
        if "delete rollouts.argoproj.io" in command:
            kept = cluster.get("apps/v1", "replicasets", "checkout-5f6d8c")
            assert kept is not None
            assert "deletionTimestamp" not in kept["metadata"]
        if command.startswith("kubectl get service"):
            assert json.loads(said) == labels
    (own, foreign) = sorted(cluster.names("apps/v1", "replicasets"))
    assert own.startswith("checkout-")
    assert own != "checkout-5f6d8c"
    assert foreign == "other-5f6d8c"
    assert cluster.names("v1", "services") == {"checkout"}
    assert cluster.names("networking.k8s.io/v1", "ingresses") == set()
    assert cluster.names("rollout.dev/v1alpha1", "rollouts") == {"checkout"}
    assert cluster.names("argoproj.io/v1alpha1", "rollouts") == set()


def test_a_service_leaves_flagger(cluster: Cluster, tmp_path: Path) -> None:
    converted, commands, body = moved("flagger-nginx")
    made = cluster.create("flagger.app/v1beta1", "canaries", body)
    for name in ("podinfo", "podinfo-primary"):
        labels = {"app": name}
        spec = {"selector": {"matchLabels": labels}, "template": template(labels)}
        owners = owner(made) if name != "podinfo" else []
        metadata = {"name": name, "ownerReferences": owners}
        sized = {"replicas": 2 if owners else 0, **spec}
        cluster.create("apps/v1", "deployments", {"metadata": metadata, "spec": sized})
    for name, target in {
        "podinfo": "podinfo-primary",
        "podinfo-primary": "podinfo-primary",
        "podinfo-canary": "podinfo",
    }.items():
        cluster.create("v1", "services", service(name, {"app": target}, owner(made)))
    metadata = {"name": "podinfo-primary", "ownerReferences": owner(made)}
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo-primary"}
    scaled = {"maxReplicas": 3, "scaleTargetRef": reference}
    scaler = {"metadata": metadata, "spec": scaled}
    cluster.create("autoscaling/v2", "horizontalpodautoscalers", scaler)
    route = {"metadata": {"name": "podinfo-canary"}, "spec": {"defaultBackend": {
        "service": {"name": "podinfo-canary", "port": {"number": 80}}}}}  # fmt: skip
    cluster.create("networking.k8s.io/v1", "ingresses", route)
    count = "0"
    for command in commands:
        if "rollout status" in command or command.startswith("rollout doctor"):
            continue
        said = cluster.run(command.replace("COUNT", count), converted, tmp_path)
        if "jsonpath" in command:
            count = said.strip()
    found = cluster.get("v1", "services", "podinfo")
    assert found is not None
    assert found["spec"]["selector"] == {"app": "podinfo"}
    assert "ownerReferences" not in found["metadata"]
    deployment = cluster.get("apps/v1", "deployments", "podinfo")
    assert deployment is not None
    assert deployment["spec"]["replicas"] == 2
    assert cluster.names("apps/v1", "deployments") == {"podinfo"}
    assert cluster.names("v1", "services") == {"podinfo"}
    assert cluster.names("networking.k8s.io/v1", "ingresses") == set()
    assert cluster.names("autoscaling/v2", "horizontalpodautoscalers") == set()
    assert cluster.names("flagger.app/v1beta1", "canaries") == set()
    assert cluster.names("rollout.dev/v1alpha1", "rollouts") == {"podinfo"}
