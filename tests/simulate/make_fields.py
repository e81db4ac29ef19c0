"""Reads the fields of Kubernetes' kinds out of its Go sources.

`python -m tests.simulate.make_fields` writes `rollout/simulate/fields.json`. The Go structs tell
all there is to know about a field at once: its JSON name, whether its zero value is left out, its
protobuf number, and by which key a strategic merge patch merges it. The sources are in the module
cache once the control plane of the tests is built.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.controlplane.build import SOURCES, kubernetes_version

TARGET: Final = Path("rollout/simulate/fields.json")
PACKAGES: Final[Mapping[str, tuple[str, str]]] = {
    "meta": ("k8s.io/apimachinery", "pkg/apis/meta/v1"),
    "core": ("k8s.io/api", "core/v1"),
    "apps": ("k8s.io/api", "apps/v1"),
    "discovery": ("k8s.io/api", "discovery/v1"),
    "networking": ("k8s.io/api", "networking/v1"),
    "coordination": ("k8s.io/api", "coordination/v1"),
    "policy": ("k8s.io/api", "policy/v1"),
    "events": ("k8s.io/api", "events/v1"),
    "autoscaling": ("k8s.io/api", "autoscaling/v1"),
    "autoscalingv2": ("k8s.io/api", "autoscaling/v2"),
    "apiextensions": ("k8s.io/apiextensions-apiserver", "pkg/apis/apiextensions/v1"),
}
ALIASES: Final = {"metav1": "meta", "v1": "core", "corev1": "core"}
KINDS: Final[Mapping[str, str]] = {
    "v1 Namespace": "core.Namespace",
    "v1 Node": "core.Node",
    "v1 Pod": "core.Pod",
    "v1 Service": "core.Service",
    "v1 ConfigMap": "core.ConfigMap",
    "v1 Secret": "core.Secret",
    "v1 ServiceAccount": "core.ServiceAccount",
    "v1 Event": "core.Event",
    "v1 Binding": "core.Binding",
    "apps/v1 Deployment": "apps.Deployment",
    "apps/v1 ReplicaSet": "apps.ReplicaSet",
    "discovery.k8s.io/v1 EndpointSlice": "discovery.EndpointSlice",
    "networking.k8s.io/v1 Ingress": "networking.Ingress",
    "networking.k8s.io/v1 IngressClass": "networking.IngressClass",
    "coordination.k8s.io/v1 Lease": "coordination.Lease",
    "policy/v1 PodDisruptionBudget": "policy.PodDisruptionBudget",
    "policy/v1 Eviction": "policy.Eviction",
    "events.k8s.io/v1 Event": "events.Event",
    "autoscaling/v1 Scale": "autoscaling.Scale",
    "autoscaling/v2 HorizontalPodAutoscaler": "autoscalingv2.HorizontalPodAutoscaler",
    "v1 DeleteOptions": "meta.DeleteOptions",
    "apiextensions.k8s.io/v1 CustomResourceDefinition": "apiextensions.CustomResourceDefinition",
}
SPECIAL: Final = {
    "meta.Time": "time",
    "meta.MicroTime": "microtime",
    "meta.FieldsV1": "any",
    "apiextensions.JSONSchemaProps": "any",
    "apiextensions.JSON": "any",
    "resource.Quantity": "quantity",
    "intstr.IntOrString": "intstr",
    "runtime.RawExtension": "any",
    "types.UID": "string",
}
PLAIN: Final = {
    "string": "string",
    "bool": "bool",
    "int32": "int32",
    "int64": "int64",
    "int": "int64",
    "float64": "float",
    "[]byte": "bytes",
}
STRUCT: Final = re.compile(r"^type (\w+) struct ?\{(?:\}|\n(.*?)^\})", re.MULTILINE | re.DOTALL)
NAMED: Final = re.compile(r"^type (\w+) ((?:map|\[\]|string|int32|int64|bool)\S*)", re.MULTILINE)
FIELD: Final = re.compile(r"^\t(?:(\w+)\s+)?([\w.*\[\]]+)\s+`(json:[^`]*)`", re.MULTILINE)
TAG: Final = re.compile(r'(\w+):"([^"]*)"')


class SourceError(Exception):
    """The sources are not there, or not as they are expected; the message says what."""


@dataclass
class Types:
    """All structs and named types of the packages."""

    structs: dict[str, str] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)

    def read(self, package: str, source: str) -> None:
        """Take the declarations of one file."""
        for name, body in STRUCT.findall(source):
            self.structs[f"{package}.{name}"] = body
        for name, meaning in NAMED.findall(source):
            self.named[f"{package}.{name}"] = meaning

    def written(self, go: str, package: str) -> str:
        """A Go type as the table writes it."""
        if go in PLAIN:
            return PLAIN[go]
        for prefix in ("*", "[]"):
            if go.startswith(prefix):
                return prefix + self.written(go.removeprefix(prefix), package)
        if go.startswith("map["):
            return "{}" + self.written(go.partition("]")[2], package)
        return self._resolved(go, package)

    def _resolved(self, go: str, package: str) -> str:
        alias, dot, name = go.rpartition(".")
        full = f"{ALIASES.get(alias, alias)}.{name}" if dot else f"{package}.{name}"
        if full in SPECIAL:
            return SPECIAL[full]
        if full in self.named:
            return self.written(self.named[full], full.partition(".")[0])
        if full not in self.structs:
            raise SourceError(f"no declaration of {full}, which {package} uses")
        return full

    def fields(self, name: str) -> Iterator[tuple[str, list[Any]]]:
        """Fields of a struct: JSON name (empty for what is embedded), number, type, and so on."""
        package = name.partition(".")[0]
        for _, go, tags in FIELD.findall(self.structs[name]):
            tag = dict(TAG.findall(tags))
            json_name, _, options = tag["json"].partition(",")
            if json_name == "-" or go.endswith("TypeMeta"):
                continue
            entry = [_number(tag), self.written(go, package), _omission(options), _merging(tag)]
            while entry[-1] in ("", 0):
                entry.pop()
            yield json_name, entry


def _number(tag: Mapping[str, str]) -> int:
    parts = tag.get("protobuf", "").split(",")
    return int(parts[1]) if len(parts) > 1 else 0


def _omission(options: str) -> int:
    """0 never left out, 1 left out when empty, 2 also when a struct is zero."""
    return 2 if "omitzero" in options else int("omitempty" in options)


def _merging(tag: Mapping[str, str]) -> str:
    if "merge" not in tag.get("patchStrategy", "").split(","):
        return ""
    return tag.get("patchMergeKey", "*")


def _reachable(types: Types, roots: Iterator[str]) -> dict[str, dict[str, list[Any]]]:
    found: dict[str, dict[str, list[Any]]] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = {}
        for json_name, entry in types.fields(name):
            found[name][json_name or f"~{entry[0]}"] = entry
            inner = entry[1].lstrip("*[]{}")
            if inner in types.structs:
                waiting.append(inner)
    return dict(sorted(found.items()))


def _folder(module: str) -> Path:
    command = ["go", "list", "-m", "-f", "{{.Dir}}", module]
    listed = subprocess.run(
        command, cwd=SOURCES, capture_output=True, text=True, timeout=60, check=False
    )
    if listed.returncode or not listed.stdout.strip():
        raise SourceError(f"{module} is not in the module cache: {listed.stderr.strip()}")
    return Path(listed.stdout.strip())


def make() -> str:
    """The table as JSON text. Raises SourceError."""
    types = Types()
    for package, (module, path) in PACKAGES.items():
        for source in sorted((_folder(module) / path).glob("*types*.go")):
            types.read(package, source.read_text())
        for extra in ("time.go", "micro_time.go"):
            if package == "meta":
                types.read(package, (_folder(module) / path / extra).read_text())
    table = {
        "source": f"Go structs of Kubernetes {kubernetes_version()} (Apache-2.0)",
        "kinds": KINDS,
        "types": _reachable(types, iter(KINDS.values())),
    }
    return _laid_out(table)


def _laid_out(table: Mapping[str, Any]) -> str:
    """JSON with a line for each type, so that a new version shows as a readable diff."""
    lines = [
        f" {json.dumps(name)}: {json.dumps(fields, separators=(',', ':'))}"
        for name, fields in table["types"].items()
    ]
    head = json.dumps({key: table[key] for key in ("source", "kinds")}, indent=1)
    return head.removesuffix("\n}") + ',\n "types": {\n' + ",\n".join(lines) + "\n }\n}\n"


def main() -> int:
    """Write the table."""
    try:
        TARGET.write_text(make())
    except SourceError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
