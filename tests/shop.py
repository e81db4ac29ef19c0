"""A plain service as people have it before they have us: cheap pods, names that tests read well."""

from typing import Any, Final

HOST: Final = "web.example.com"
IMAGE: Final = "registry.example.com/sample/web"


def deployment(tag: str = "v1.0.0", replicas: int = 4) -> dict[str, Any]:
    """A plain Deployment of the sample service."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {
                    "labels": {"app": "web"},
                    "annotations": {
                        "prometheus.io/scrape": "true",
                        "prometheus.io/port": "8080",
                    },
                },
                "spec": {
                    "containers": [
                        {
                            "name": "web",
                            "image": f"{IMAGE}:{tag}",
                            "ports": [{"name": "http", "containerPort": 8080}],
                            "readinessProbe": {
                                "httpGet": {"path": "/ready", "port": "http"},
                                "periodSeconds": 1,
                            },
                        }
                    ]
                },
            },
        },
    }


def service() -> dict[str, Any]:
    """A plain Service in front of it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"app": "web"},
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
        },
    }


def ingress() -> dict[str, Any]:
    """A plain Ingress for its host."""
    backend = {"service": {"name": "web", "port": {"name": "http"}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web"},
        "spec": {
            "ingressClassName": "nginx",
            "rules": [{"host": HOST, "http": {"paths": [path]}}],
        },
    }


def rollout() -> dict[str, Any]:
    """A Rollout with times for people who watch: seconds where production has minutes."""
    step = {"minDuration": "5s", "maxDuration": "60s"}
    return {
        "apiVersion": "rollout.dev/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web"},
        "spec": {
            "target": {"deployment": "web"},
            "strategy": {
                "canary": {
                    "steps": [{"weight": 20, **step}, {"weight": 50, **step}],
                    "bake": "5s",
                    "drain": "1s",
                    "progressDeadline": "60s",
                }
            },
            "policy": {"inline": {"interval": "1s", "minimumRequests": 50}},
        },
    }


def objects() -> list[dict[str, Any]]:
    """All of it."""
    return [deployment(), service(), ingress(), rollout()]
