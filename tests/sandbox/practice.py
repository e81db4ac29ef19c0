"""A namespace with a service, its Ingress, and people's usual ways to change them."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from rollout.kube.client import HttpCluster
from rollout.kube.errors import NotFound
from rollout.resources.words import POD_TEMPLATE_HASH
from rollout.resources.writes import Create, Delete, Kind, Object, Patch, PatchType

SERVICE: Final = "shop"
HOST: Final = "shop.example"
CANARY: Final = "nginx.ingress.kubernetes.io/canary"
_READY: Final = {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 1}


def until(claim: Callable[[], Any], what: str, seconds: float = 15.0) -> Any:
    """Wait until a claim is true and give its value; fail with what was waited for."""
    deadline = time.monotonic() + seconds
    while not (value := claim()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)
    return value


def await_served(url: str, host: str) -> None:
    """Wait until the edge answers 200 for a host: pods are ready a while before it knows."""

    def served() -> bool:
        return httpx.get(url, headers={"host": host}, trust_env=False).is_success

    until(served, f"{host} served at {url}")


def deployment(
    tag: str, *, name: str = SERVICE, replicas: int = 4, labels: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Give a Deployment whose selector is all of its labels."""
    labels = {"app": SERVICE, **(labels or {})}
    container = {
        "name": "web",
        "image": f"example/web:{tag}",
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": _READY,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def service(selector: Mapping[str, str], name: str = SERVICE) -> dict[str, Any]:
    """Give a Service with the one port `http`."""
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": dict(selector), "ports": ports},
    }


def ingress(
    backend: str = SERVICE, *, name: str = SERVICE, host: str = HOST, weight: int | None = None
) -> dict[str, Any]:
    """Give an Ingress of a host; with a weight it is a canary."""
    annotations = {} if weight is None else {CANARY: "true", f"{CANARY}-weight": str(weight)}
    target = {"service": {"name": backend, "port": {"name": "http"}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": target}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": host, "http": {"paths": paths}}]},
    }


@dataclass(frozen=True)
class Shop:
    """One namespace of a cluster, and what people do in it."""

    cluster: HttpCluster
    namespace: str

    def create(self, *objects: Object) -> None:
        """Create objects."""
        kinds = {kind.value.kind: kind for kind in Kind}
        for body in objects:
            self.cluster.apply(Create(kinds[body["kind"]], self.namespace, body))

    def open(self, tag: str, replicas: int = 4) -> None:
        """Deploy a version behind a Service and an Ingress, and wait until it is ready."""
        self.create(deployment(tag, replicas=replicas), service({"app": SERVICE}), ingress())
        self.await_ready(SERVICE, replicas)

    def get(self, kind: Kind, name: str = SERVICE) -> Object:
        """Read an object."""
        return self.cluster.get(kind, self.namespace, name)

    def patch(self, kind: Kind, name: str, body: Object) -> Object:
        """Change an object by a merge patch."""
        return self.cluster.apply(Patch(kind, self.namespace, name, PatchType.MERGE, body))

    def replace(self, kind: Kind, name: str, path: str, value: Any) -> Object:
        """Replace one field whole, by a JSON patch."""
        patch: Sequence[Object] = [{"op": "replace", "path": path, "value": value}]
        return self.cluster.apply(Patch(kind, self.namespace, name, PatchType.JSON, patch))

    def delete(self, kind: Kind, name: str) -> None:
        """Delete an object and what it owns."""
        self.cluster.apply(Delete(kind, self.namespace, name))

    def scale(self, name: str, replicas: int) -> None:
        """Set the size of a Deployment."""
        self.patch(Kind.DEPLOYMENT, name, {"spec": {"replicas": replicas}})

    def pause(self, name: str, *, paused: bool) -> None:
        """Pause or unpause a Deployment, and wait until that was noticed."""
        body = {"spec": {"paused": paused}}
        generation = self.patch(Kind.DEPLOYMENT, name, body)["metadata"]["generation"]

        def noticed() -> bool:
            status = self.get(Kind.DEPLOYMENT, name).get("status", {})
            return bool(status.get("observedGeneration", 0) >= generation)

        until(noticed, f"{name}: paused={paused} observed")

    def select(self, selector: Mapping[str, str], name: str = SERVICE) -> None:
        """Make this the whole selector of a Service."""
        self.replace(Kind.SERVICE, name, "/spec/selector", dict(selector))

    def weigh(self, weight: int, name: str = "shop-canary") -> None:
        """Set the weight of a canary Ingress."""
        annotations = {f"{CANARY}-weight": str(weight)}
        self.patch(Kind.INGRESS, name, {"metadata": {"annotations": annotations}})

    def pods(self, **labels: str) -> tuple[Object, ...]:
        """Give the pods that carry all of these labels."""
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        return self.cluster.list(Kind.POD, self.namespace, selector).items

    def hash_of(self, name: str, tag: str) -> str:
        """Give the pod-template-hash under which a Deployment runs a version, once it has one."""

        def find() -> str:
            for item in self.cluster.list(Kind.REPLICA_SET, self.namespace).items:
                image = item["spec"]["template"]["spec"]["containers"][0]["image"]
                owner = item["metadata"]["ownerReferences"][0]["name"]
                if owner == name and image.endswith(f":{tag}"):
                    return str(item["metadata"]["labels"][POD_TEMPLATE_HASH])
            return ""

        return str(until(find, f"a ReplicaSet of {name} with {tag}"))

    def await_ready(self, name: str, replicas: int, seconds: float = 15.0) -> None:
        """Wait until a Deployment has all its pods available, all of its latest template."""

        def complete() -> bool:
            item = self.get(Kind.DEPLOYMENT, name)
            status = item.get("status", {})
            counts = {status.get(key, 0) for key in ("replicas", "updatedReplicas")}
            current = status.get("observedGeneration") == item["metadata"]["generation"]
            return counts == {replicas} == {status.get("availableReplicas", 0)} and current

        until(complete, f"{name}: {replicas} replicas available", seconds)

    def await_gone(self, kind: Kind, name: str) -> None:
        """Wait until an object is gone."""

        def gone() -> bool:
            try:
                self.get(kind, name)
            except NotFound:
                return True
            return False

        until(gone, f"{kind.value.kind} {name} gone")
