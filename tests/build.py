"""Builders of objects, with defaults that say nothing about the test at hand."""

from typing import Any

APP = {"app": "web"}


def deployment(
    name: str = "web", image: str = "registry.local/web:v1", replicas: int = 4, **spec: Any
) -> dict[str, Any]:
    """A Deployment of the sample service."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": dict(APP)},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "containers": [
                        {"name": "web", "image": image, "ports": [{"containerPort": 8080}]}
                    ]
                },
            },
            **spec,
        },
    }


def service(name: str = "web", selector: dict[str, str] | None = None) -> dict[str, Any]:
    """A Service in front of it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "selector": selector or {"app": "web"},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
        },
    }


def ingress(name: str = "web", service_name: str = "web") -> dict[str, Any]:
    """An Ingress that routes a host to the Service."""
    backend = {"service": {"name": service_name, "port": {"number": 80}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name},
        "spec": {
            "ingressClassName": "nginx",
            "rules": [
                {
                    "host": "web.example.com",
                    "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
                }
            ],
        },
    }


def canary(*weights: int, **changes: Any) -> dict[str, Any]:
    """A canary strategy with short times."""
    return {
        "canary": {
            "steps": [{"weight": weight, "minDuration": "3s"} for weight in weights or (20, 50)],
            "bake": "5s",
            "drain": "1s",
            "progressDeadline": "30s",
            **changes,
        }
    }


def blue_green(**changes: Any) -> dict[str, Any]:
    """A blue-green strategy with short times."""
    return {"blueGreen": {"bake": "5s", "drain": "1s", "progressDeadline": "30s", **changes}}


def rollout(
    name: str = "web", strategy: dict[str, Any] | None = None, **spec: Any
) -> dict[str, Any]:
    """A Rollout of the Deployment of the same name."""
    return {
        "apiVersion": "rollout.dev/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": name},
        "spec": {"target": {"deployment": "web"}, "strategy": strategy or canary(), **spec},
    }


def release(name: str = "web-v2", version: str = "v2", **spec: Any) -> dict[str, Any]:
    """A Release of the Rollout."""
    return {
        "apiVersion": "rollout.dev/v1alpha1",
        "kind": "Release",
        "metadata": {"name": name},
        "spec": {"rollout": "web", "version": version, **spec},
    }


def shop(strategy: dict[str, Any] | None = None, replicas: int = 4) -> tuple[dict[str, Any], ...]:
    """A service that runs, its Rollout, and a Release that has just been asked for."""
    return (
        deployment(replicas=replicas),
        service(),
        ingress(),
        rollout(strategy=strategy),
        release(),
    )
