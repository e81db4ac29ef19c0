"""What the schemas of our CRDs demand of people, constraint by constraint.

Nothing here is listed by hand: it comes from the generated CRDs, so a field that is new is seen.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from rollout.resources.crd import definitions

Json: TypeAlias = Mapping[str, Any]
SCHEMAS: Final[Mapping[str, Json]] = {
    crd["spec"]["names"]["kind"]: crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for crd in definitions()
}
POLICY: Final[Json] = SCHEMAS["RolloutPolicy"]["properties"]["spec"]
NO_CONSTRAINT: Final = {
    "additionalProperties",
    "default",
    "description",
    "items",
    "properties",
    "required",  # told of the fields that are required
    "x-kubernetes-int-or-string",  # told as a type
    "x-kubernetes-list-map-keys",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-validations",  # each has its case in bad.py
}


@dataclass(frozen=True)
class Constraint:
    """One keyword of one field, such as `maximum` of `spec.strategy.canary.steps[].weight`."""

    kind: str
    field: str
    """Path, with `[]` for each item and `{}` for each key."""
    keyword: str
    """`required` is said of the field that must be there."""
    schema: Json
    """Of the field."""

    @property
    def limit(self) -> Any:
        """What the keyword says, as the server has it: a format is a type there."""
        if self.keyword == "type":
            return self.schema.get("format") or self.schema.get("type", "integer,string")
        return self.schema.get(self.keyword)

    def __str__(self) -> str:
        """As a test is named."""
        return f"{self.kind}:{self.field}:{self.keyword}"


def constraints() -> Iterator[Constraint]:
    """Every constraint of what people write; those of a policy once, not where it is inlined."""
    for kind, schema in SCHEMAS.items():
        for field, inner, required in _fields("spec", schema["properties"]["spec"]):
            yield from (Constraint(kind, field, word, inner) for word in _keywords(inner))
            if required:
                yield Constraint(kind, field, "required", inner)


def _keywords(schema: Json) -> Iterator[str]:
    yield from (word for word in schema if word not in NO_CONSTRAINT)
    if "x-kubernetes-int-or-string" in schema:
        yield "type"


def _fields(path: str, schema: Json, *, required: bool = False) -> Iterator[tuple[str, Json, bool]]:
    """Give a field and all below it: path, schema, and whether it must be there."""
    yield path, schema, required
    properties = schema.get("properties", {})
    if path != "spec" and properties == POLICY["properties"]:
        return
    for name, inner in properties.items():
        must = name in schema.get("required", ())
        yield from _fields(f"{path}.{name}", inner, required=must)
    for end, keyword in (("[]", "items"), ("{}", "additionalProperties")):
        if isinstance(schema.get(keyword), Mapping):
            yield from _fields(f"{path}{end}", schema[keyword])
