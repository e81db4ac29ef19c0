"""Texts of values come out as texts and numbers as numbers, whatever YAML would take them for."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from gemini_agent.settings import read

from tests.charts.helm import AGENT, CONTROLLER, KUBERNETES, Helm, Release, Tree
from tests.examples.test_trees import FOREIGN, OURS
from tests.examples.trees import one, values

pytestmark = pytest.mark.controlplane
HELM = Helm()
NUMBER = "123"
AGENTS: dict[str, Any] = {
    "nameOverride": NUMBER,
    "fullnameOverride": "1e3",
    "image": {"repository": NUMBER, "tag": NUMBER, "pullPolicy": "Always"},
    "serviceAccount": {"name": NUMBER},
    "ingress": {"className": NUMBER, "hosts": [{"host": NUMBER, "paths": [
        {"path": "/", "pathType": "Prefix"}, {"path": "/#a: b", "pathType": "Exact"}]}]},
    "secrets": {"externalSecret": {"keys": {"googleApiKey": NUMBER}, "store": {"name": NUMBER}}},
    "redis": {"auth": {"enabled": True, "password": NUMBER, "existingSecretPasswordKey": NUMBER}},
    "networkPolicy": {"fromNamespaces": [NUMBER]},
    "monitoring": {"serviceMonitor": {"enabled": True}},
    "config": {"appName": NUMBER, "environment": "yes", "geminiModel": NUMBER},
}  # fmt: skip
CONTROLLERS: dict[str, Any] = {
    "image": {"repository": NUMBER, "tag": NUMBER},
    "watchNamespace": NUMBER,
    "priorityClassName": NUMBER,
    "networkPolicy": {"enabled": True},
    "monitoring": {"serviceMonitor": {"enabled": True}},
}


def rendered(chart: Path, said: dict[str, Any], folder: Path) -> Tree:
    """Render a chart with its tests and a file of values, which Helm reads otherwise than words."""
    file = folder / "values.json"
    file.write_text(json.dumps(said))
    return HELM.template(Release(chart, NUMBER, "1234", ("-f", str(file))), tests=True)


@pytest.mark.parametrize(
    ("chart", "said"), [(AGENT, AGENTS), (AGENT, {}), (CONTROLLER, CONTROLLERS)]
)
def test_texts_that_look_like_numbers_stay_texts(
    chart: Path, said: dict[str, Any], tmp_path: Path
) -> None:
    tree = rendered(chart, said, tmp_path)
    for body in tree:
        check_valid(body)
        assert all(isinstance(text, str) for text in texts(body)), body
    assert {body["metadata"]["namespace"] for body in tree if "namespace" in body["metadata"]} <= {
        "1234",
        said.get("watchNamespace", "1234"),
    }


def check_valid(body: dict[str, Any]) -> None:
    if body["kind"] in OURS:
        OURS[body["kind"]].model_validate(body)
    elif body["apiVersion"] not in FOREIGN:
        kubernetes_validate.validate(body, KUBERNETES, strict=True)


def texts(body: dict[str, Any]) -> Iterator[object]:
    """Give all names, labels and what chooses by them."""
    for key in ("labels", "annotations", "matchLabels", "stringData", "data"):
        for found in values(body, key):
            if isinstance(found, dict):
                yield from found
                yield from found.values()
    for key in ("name", "namespace", "image", "deployment", "key", "secretName"):
        yield from (found for found in values(body, key) if not isinstance(found, dict | list))


def test_a_wildcard_is_a_host(tmp_path: Path) -> None:
    hosts = [{"host": "*.example.com", "paths": [{"path": "/", "pathType": "Prefix"}]}]
    tree = rendered(AGENT, {"ingress": {"hosts": hosts}}, tmp_path)
    (rule,) = one(tree, "Ingress", "123-gemini-agent")["spec"]["rules"]
    assert rule["host"] == "*.example.com"


def test_large_numbers_reach_the_program_as_it_reads_them(tmp_path: Path) -> None:
    limit = {"requests": 2_000_000, "windowSeconds": 86_400_000}
    said = {"config": {"maxTokens": 1_000_000, "rateLimit": limit}}
    tree = rendered(AGENT, said, tmp_path)
    settings = read(one(tree, "ConfigMap", "123-gemini-agent-config")["data"])
    assert (settings.max_tokens, settings.rate_limit) == (1_000_000, 2_000_000)
    assert settings.rate_window == 86_400_000


def test_large_numbers_of_objects_are_whole(tmp_path: Path) -> None:
    said = {"autoscaling": {"maxReplicas": 2_000_000, "targetRequestsPerSecond": 3_000_000}}
    scaler = one(rendered(AGENT, said, tmp_path), "HorizontalPodAutoscaler", "123-gemini-agent")[
        "spec"
    ]
    assert repr(scaler["maxReplicas"]) == "2000000"
    assert list(values(scaler, "averageValue")) == ["3000000"]
