"""The Kustomize trees of the example, as our kubectl makes them, and as a test may hasten them."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from tests.install.installed import ROOT, Loader

MANIFESTS: Final = ROOT / "manifests"
EXAMPLE: Final = MANIFESTS / "examples" / "gemini-agent"
OVERLAYS: Final = ("development", "staging", "production")
Tree: TypeAlias = list[dict[str, Any]]


@dataclass(frozen=True)
class Overlay:
    """What an overlay is known by."""

    name: str
    namespace: str
    prefix: str
    host: str
    tag: str
    replicas: tuple[int, int]
    """Least and most."""

    @property
    def service(self) -> str:
        """Name of the Deployment, its Service, its Ingress and its Rollout."""
        return f"{self.prefix}gemini-agent"

    @property
    def secret(self) -> str:
        """Name of the Secret that the pods read; the External Secrets Operator prefixes none."""
        return "prod-agent-secrets" if self.name == "production" else "agent-secrets"


KNOWN: Final = {
    one.name: one
    for one in (
        Overlay(
            "development", "gemini-agents-dev", "", "api.dev.example.com", "v1.3.0-dev", (2, 4)
        ),
        Overlay(
            *("staging", "gemini-agents-staging", "staging-"),
            *("api.staging.example.com", "v1.2.3", (2, 6)),
        ),
        Overlay("production", "gemini-agents-prod", "prod-", "api.example.com", "v1.2.3", (5, 50)),
    )
}


def build(program: Path, folder: Path) -> Tree:
    """Build a kustomization. Raises CalledProcessError with what Kustomize says."""
    command = [str(program), "kubectl", "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", done.stderr  # it warns there of what it will not understand soon
    return list(yaml.load_all(done.stdout, Loader))


def one(tree: Tree, kind: str, name: str) -> dict[str, Any]:
    """Give the object of a kind and name. Raises AssertionError unless it is exactly one."""
    found = [body for body in tree if (body["kind"], body["metadata"]["name"]) == (kind, name)]
    assert len(found) == 1, f"{len(found)} {kind} {name}"
    return found[0]


def values(body: Any, key: str) -> Iterator[Any]:
    """Give all values of a key, however deep."""
    if isinstance(body, dict):
        for name, value in body.items():
            if name == key:
                yield value
            yield from values(value, key)
    if isinstance(body, list):
        for value in body:
            yield from values(value, key)
