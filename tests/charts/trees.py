"""A chart's objects and Kustomize's, made comparable; every difference is named here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from tests.charts.helm import AGENT, Release, Tree
from tests.examples.trees import EXAMPLE, KNOWN, Overlay

Named: TypeAlias = dict[tuple[str, str], dict[str, Any]]

OF_HELM: Final = frozenset({"helm.sh/chart", "app.kubernetes.io/managed-by"})
"""Labels by which Helm knows what is its own."""
OF_RELEASES: Final = "app.kubernetes.io/instance"
"""In labels and selectors: two releases may share a namespace, two overlays never do."""
OF_BASE: Final = frozenset({"app.kubernetes.io/part-of", "app.kubernetes.io/component"})
"""What the base gives to its own objects only; the chart gives it to all."""
LEFT_OUT: Final = "Namespace"
"""Made by `helm install --create-namespace`, or by whoever owns the cluster, never by a chart."""


PREFIXED: Final = {"staging-agent-secrets": "agent-secrets"}
"""Kustomize prefixes an ExternalSecret but not the Secret it writes; the chart names both alike."""


@dataclass(frozen=True)
class Twin:
    """A tree of Kustomize, and the release of the chart that must be the same."""

    overlay: Overlay
    release: Release
    folder: Path
    redis: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> Mapping[str, str]:
        """Names of the chart, and what the tree says in their place."""
        own, overlay = self.overlay.service, self.overlay
        config = {f"{own}-config": f"{overlay.prefix}agent-config"}
        return {**config, f"{own}-secrets": overlay.secret, **self.redis}


def _twin(name: str, release: str, redis: Mapping[str, str] | None = None) -> Twin:
    overlay = KNOWN[name]
    values = ("-f", str(AGENT / f"values-{name}.yaml"))
    made = Release(AGENT, release, overlay.namespace, values)
    return Twin(overlay, made, EXAMPLE / "overlays" / name, redis or {})


BASE: Final = Twin(
    Overlay("base", "gemini-agents", "", "api.example.com", "v1.2.2", (3, 20)),
    Release(
        AGENT,
        "gemini-agent",
        "gemini-agents",
        ("--set", "redis.enabled=false", "--set", "redis.host=redis-master"),
    ),
    EXAMPLE / "base",
)
"""The base has no Redis of its own: an overlay brings one, and the way to it."""
TWINS: Final = {
    twin.overlay.name: twin
    for twin in (
        BASE,
        _twin(
            "development",
            "gemini-agent",
            {"gemini-agent-redis": "redis", "gemini-agent-redis-master": "redis-master"},
        ),
        _twin("staging", "staging"),
        _twin("production", "prod"),
    )
}


def named(tree: Tree) -> Named:
    """Give objects by kind and name. Raises AssertionError for two of one name."""
    found = {(body["kind"], body["metadata"]["name"]): body for body in tree}
    assert len(found) == len(tree)
    return found


def of_kustomize(tree: Tree) -> Named:
    """Make Kustomize's comparable."""
    left = [body for body in tree if body["kind"] != LEFT_OUT]
    return named([_ordered(_renamed(body, PREFIXED)) for body in left])


def of_helm(tree: Tree, theirs: Named, names: Mapping[str, str] | None = None) -> Named:
    """Make Helm's comparable with `theirs`."""
    found = named([_ordered(_renamed(_stripped(body), names or {})) for body in tree])
    for key, body in found.items():
        metadata = body["metadata"]
        labels = metadata.pop("labels", {})
        if not labels.keys() & OF_BASE <= _labels(theirs.get(key, {})):
            labels = {name: value for name, value in labels.items() if name not in OF_BASE}
        if labels:
            metadata["labels"] = labels
    return found


def _labels(body: Mapping[str, Any]) -> frozenset[str]:
    return frozenset((body.get("metadata") or {}).get("labels") or {})


def _stripped(body: Any) -> Any:
    """Leave out the labels of Helm, wherever they are."""
    if isinstance(body, dict):
        kept = {key: value for key, value in body.items() if key not in {*OF_HELM, OF_RELEASES}}
        return {key: _stripped(value) for key, value in kept.items()}
    return [_stripped(one) for one in body] if isinstance(body, list) else body


def _renamed(body: Any, names: Mapping[str, str]) -> Any:
    """Put names for names, where they are a whole value."""
    if isinstance(body, dict):
        return {key: _renamed(value, names) for key, value in body.items()}
    if isinstance(body, list):
        return [_renamed(one, names) for one in body]
    return names.get(body, body) if isinstance(body, str) else body


def _ordered(body: dict[str, Any]) -> dict[str, Any]:
    """Sort the rules of a NetworkPolicy: their order says nothing."""
    if body["kind"] == "NetworkPolicy":
        body["spec"]["egress"].sort(key=lambda rule: json.dumps(rule, sort_keys=True))
    return body
