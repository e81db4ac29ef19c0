"""CustomResourceDefinitions, generated from the models: what is checked here is checked there.

The API server wants a structural schema: no references, one type per field, and of `anyOf` only
what constrains values. Pydantic's schema is flattened to that.
"""

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import yaml
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import to_jsonable_python

from rollout.resources.duration import format_duration
from rollout.resources.model import Model
from rollout.resources.policy import RolloutPolicySpec, RolloutPolicyStatus
from rollout.resources.release import ReleaseSpec, ReleaseStatus
from rollout.resources.rollout import RolloutSpec, RolloutStatus
from rollout.resources.words import GROUP, VERSION

KEPT: Final = (
    "type",
    "description",
    "default",
    "enum",
    "format",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "required",
    "uniqueItems",
)
LONGEST_LIST: Final = 64
LONGEST_TEXT: Final = 4096
Json = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """A printer column of `kubectl get`."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0
    description: str = ""


@dataclass(frozen=True)
class Definition:
    """One custom kind."""

    kind: str
    plural: str
    short_names: tuple[str, ...]
    spec: Json
    status: Json
    columns: tuple[Column, ...]
    description: str


AGE: Final = Column("Age", ".metadata.creationTimestamp", "date")
ROLLOUT_COLUMNS: Final = (
    Column("Deployment", ".spec.target.deployment"),
    Column("Version", ".status.stableVersion", description="What users have."),
    Column("Release", ".status.activeRelease", description="What runs now."),
    Column("Last", ".status.lastRelease.phase", description="How the newest release ended."),
    Column("Trigger", ".spec.trigger", priority=1, description="What starts a release."),
    AGE,
)
RELEASE_COLUMNS: Final = (
    Column("Rollout", ".spec.rollout"),
    Column("Version", ".spec.version"),
    Column("Strategy", ".status.strategy"),
    Column("Phase", ".status.phase"),
    Column("Step", ".status.progress"),
    Column("Weight", ".status.share"),
    Column("Verdict", ".status.verdict.result"),
    AGE,
    Column("Image", ".status.resolved.image", priority=1, description="What is shipped."),
    Column("Message", ".status.message", priority=1),
)
POLICY_COLUMNS: Final = (
    Column("Preset", ".spec.preset"),
    Column("Provider", ".spec.provider.kind"),
    Column("Interval", ".spec.interval"),
    AGE,
)


class _Schema(GenerateJsonSchema):
    """Pydantic's schema, with defaults as our JSON says them: `5m`, not `PT5M`."""

    def encode_default(self, dft: Any) -> Any:
        return _said(dft)


def _said(value: Any) -> Any:
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, Model):
        return value.to_json()
    if isinstance(value, list | tuple):
        return [_said(item) for item in value]
    return to_jsonable_python(value)


def structural(model: type[Model]) -> Json:
    """Return a model's schema as the API server wants it."""
    schema = model.model_json_schema(by_alias=True, mode="validation", schema_generator=_Schema)
    flat = _flat(schema, schema.get("$defs", {}))
    flat.pop("default", None)
    return flat


def _flat(node: Mapping[str, Any], defs: Mapping[str, Any]) -> Json:
    node = _resolved(node, defs)
    if "oneOf" in node or _is_union(node, defs):
        return _union(node, defs)
    found = {key: copy.copy(node[key]) for key in KEPT if key in node}
    if "const" in node:
        found |= {"type": "string", "enum": [node["const"]]}
    found |= {key: value for key, value in node.items() if key.startswith("x-kubernetes-")}
    _typed(found)
    if "properties" in node:
        found["properties"] = {k: _flat(v, defs) for k, v in node["properties"].items()}
    if "items" in node:
        found["items"] = _flat(node["items"], defs)
        found.setdefault("maxItems", LONGEST_LIST)
    extra = node.get("additionalProperties") or _by_pattern(node)
    if isinstance(extra, Mapping):
        found["additionalProperties"] = _flat(extra, defs)
    elif found.get("x-kubernetes-preserve-unknown-fields"):
        found = {"type": "object", **found}
    return found


def _by_pattern(node: Mapping[str, Any]) -> Any:
    """Give the values' schema of a map whose keys have a pattern, which structural schemas lack."""
    return next(iter(node.get("patternProperties", {}).values()), None)


def _typed(found: Json) -> None:
    """Bound what is unbounded: the cost of a CEL rule is estimated from the longest value."""
    if found.get("type") == "string" and "enum" not in found and "format" not in found:
        found.setdefault("maxLength", LONGEST_TEXT)
    for bound in ("Minimum", "Maximum"):
        exclusive = found.pop(f"exclusive{bound}", None)
        if exclusive is not None:
            found |= {bound.lower(): exclusive, f"exclusive{bound}": True}


def _resolved(node: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference, and drop the `null` half of an optional field."""
    if "$ref" in node:
        target = defs[str(node["$ref"]).rpartition("/")[2]]
        return _resolved({**target, **{k: v for k, v in node.items() if k != "$ref"}}, defs)
    choices = [c for c in node.get("anyOf", ()) if c.get("type") != "null"]
    if len(choices) == 1:
        rest = {k: v for k, v in node.items() if k != "anyOf"}
        if rest.get("default", 0) is None:
            rest.pop("default")
        return _resolved({**choices[0], **rest}, defs)
    return node


def _is_union(node: Mapping[str, Any], defs: Mapping[str, Any]) -> bool:
    return any(_resolved(c, defs).get("type") == "object" for c in node.get("anyOf", ()))


def _union(node: Mapping[str, Any], defs: Mapping[str, Any]) -> Json:
    """Merge the members of a union told apart by `kind` into one object with rules.

    A structural schema has no unions: each field of any member is allowed by the schema, and a
    rule says which `kind` it belongs to.
    """
    members = [_flat(choice, defs) for choice in node.get("oneOf", node.get("anyOf", ()))]
    properties: Json = {}
    for member in members:
        for name, schema in member["properties"].items():
            properties.setdefault(name, schema)
    kinds = [kind for member in members for kind in member["properties"]["kind"]["enum"]]
    default = {"default": node["default"]} if "default" in node else {}
    properties["kind"] = {"type": "string", "enum": kinds, "description": "Which one it is."}
    return {
        "type": "object",
        **({"description": node["description"]} if "description" in node else {}),
        **default,
        "required": sorted(
            set.intersection(*(set(m.get("required", ())) for m in members)) | {"kind"}
        ),
        "properties": {name: _without_default(properties[name]) for name in properties},
        "x-kubernetes-validations": [*_belongs(members), *_own_rules(members)],
    }


def _without_default(schema: Json) -> Json:
    """A default would put a field of one member into another."""
    return {key: value for key, value in schema.items() if key != "default"}


def _common(members: list[Json], what: str) -> set[str]:
    return set.intersection(*(set(member.get(what, ())) for member in members))


def _kind_of(member: Json) -> str:
    return str(member["properties"]["kind"]["enum"][0])


def _belongs(members: list[Json]) -> list[Json]:
    rules = []
    everywhere = _common(members, "properties")
    for member in members:
        kind = _kind_of(member)
        for name in sorted(set(member["properties"]) - everywhere):
            owners = [
                m["properties"]["kind"]["enum"][0] for m in members if name in m["properties"]
            ]
            if owners[0] != kind:
                continue
            listed = ", ".join(f"'{owner}'" for owner in owners)
            rules.append(
                {
                    "rule": f"!has(self.{name}) || self.kind in [{listed}]",
                    "message": f"{name} is only for kind {' and '.join(owners)}: remove it",
                }
            )
        rules += [
            {
                "rule": f"self.kind != '{kind}' || has(self.{name})",
                "message": f"kind {kind} needs {name}: set it",
            }
            for name in member.get("required", ())
            if name not in everywhere
        ]
    return rules


def _own_rules(members: list[Json]) -> list[Json]:
    return [
        {
            **rule,
            "rule": f"self.kind != '{_kind_of(member)}' || ({rule['rule']})",
        }
        for member in members
        for rule in member.get("x-kubernetes-validations", ())
    ]


def all_definitions() -> tuple[Definition, ...]:
    """Describe every kind of ours."""
    return (
        Definition(
            "Rollout",
            "rollouts",
            ("ro",),
            structural(RolloutSpec),
            structural(RolloutStatus),
            ROLLOUT_COLUMNS,
            "Which Deployment, which traffic objects, which strategy and policy.",
        ),
        Definition(
            "Release",
            "releases",
            ("rel",),
            structural(ReleaseSpec),
            structural(ReleaseStatus),
            RELEASE_COLUMNS,
            "One attempt to ship a version.",
        ),
        Definition(
            "RolloutPolicy",
            "rolloutpolicies",
            ("rpol",),
            structural(RolloutPolicySpec),
            structural(RolloutPolicyStatus),
            POLICY_COLUMNS,
            "What is measured, what is allowed, and what happens without data.",
        ),
    )


def definition(described: Definition) -> Json:
    """Return one CustomResourceDefinition."""
    version: Json = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _whole(described)},
        "additionalPrinterColumns": [_column(column) for column in described.columns],
        "subresources": {"status": {}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{described.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": described.kind,
                "listKind": f"{described.kind}List",
                "plural": described.plural,
                "singular": described.kind.lower(),
                "shortNames": list(described.short_names),
                "categories": ["delivery"],
            },
            "versions": [version],
        },
    }


def _whole(described: Definition) -> Json:
    return {
        "type": "object",
        "description": described.description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": described.spec,
            "status": described.status,
        },
    }


def _column(column: Column) -> Json:
    found: Json = {"name": column.name, "type": column.type, "jsonPath": column.path}
    if column.description:
        found["description"] = column.description
    if column.priority:
        found["priority"] = column.priority
    return found


def definitions() -> list[Json]:
    """Return all CustomResourceDefinitions."""
    return [definition(described) for described in all_definitions()]


class _Dumper(yaml.SafeDumper):
    """Quotes strings that YAML 1.2, and so kubectl, takes for numbers as well: `1e3`, `0o7`."""


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|0o[0-7]+)$"),
    list("-+.0123456789"),
)


def as_yaml(obj: Json) -> str:
    """Return an object as a YAML document."""
    text: str = yaml.dump(obj, Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True)
    return text


def files() -> dict[str, str]:
    """Return the files of `manifests/crds/`, by name."""
    return {f"{d['spec']['names']['plural']}.yaml": as_yaml(d) for d in definitions()}
