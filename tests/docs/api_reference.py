"""Words the reference of the HTTP API: what each path takes, answers and refuses."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.docs.tables import table

KINDS: Final = ("Rollout", "Release", "RolloutPolicySpec")
"""Shapes that the page about the kinds tells of, by the beginning of their names."""
Schema = Mapping[str, Any]


def lines(document: Schema) -> Iterator[str]:
    """Every path of the HTTP API, then the shapes, then what can go wrong."""
    yield f"# HTTP API\n\n{document['info'].get('description', '')}".rstrip()
    yield "\nHow it is used is in [the guide](../api.md)."
    shapes = Shapes(document["components"]["schemas"], [])
    problems: dict[str, str] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"\n## {method.upper()} {path}\n\n{operation.get('description', '').strip()}"
            yield from _asked(operation, shapes)
            yield from _answered(operation["responses"], shapes, problems)
    problem = shapes.word({"$ref": "#/components/schemas/ProblemDocument"})
    yield "\n## Shapes"
    yield from shapes.told()
    yield f"\n## Errors\n\nThe body of each is a {problem}, `application/problem+json`."
    yield from table(("status", "what it means"), sorted(problems.items()))


@dataclass(frozen=True)
class Shapes:
    """The schemas of the document, and those that the page has named, so has to tell of."""

    by_name: Schema
    named: list[str]

    def word(self, schema: Schema) -> str:
        """Name what a schema lets through, with a link where there is more to read."""
        for several in ("anyOf", "oneOf"):
            if several in schema:
                words = [self.word(one) for one in schema[several]]
                return " or ".join(word for word in words if word != "null")
        if "$ref" in schema:
            return self._linked(schema["$ref"].rpartition("/")[2])
        if schema.get("type") == "array":
            return f"list of {self.word(schema['items'])}"
        if isinstance(schema.get("additionalProperties"), dict):
            return f"{self.word(schema['additionalProperties'])} by name"
        return str(schema.get("type", "anything"))

    def _linked(self, name: str) -> str:
        shape = self.by_name[name]
        if "enum" in shape:
            return ", ".join(f"`{word}`" for word in shape["enum"])
        title = shape.get("title", name)
        if title in KINDS:
            return f"[{title}](kinds.md#{title.removesuffix('Spec').lower()})"
        if name not in self.named:
            self.named.append(name)
        return f"[{title}](#{title.lower()})"

    def rows(self, shape: Schema) -> Iterator[tuple[str, str]]:
        """Tell of each field of a shape."""
        for name, field in shape.get("properties", {}).items():
            default = field.get("default")
            shown = f"default `{json.dumps(default)}`" if default else ""
            needs = "required" if name in shape.get("required", ()) else shown
            about = ", ".join(filter(None, (self.word(field), needs)))
            yield f"`{name}`", f"{field.get('description', '')} ({about})"

    def told(self) -> Iterator[str]:
        """Tell of each shape that was named, and of those that these name."""
        for name in self.named:  # grows on the way
            shape = self.by_name[name]
            yield f"\n### {shape.get('title', name)}\n\n{shape.get('description', '')}"
            yield from table(("field", "what it is"), list(self.rows(shape)))


def _asked(operation: Schema, shapes: Shapes) -> Iterator[str]:
    taken = [
        (f"`{one['name']}`", one["in"], one.get("description", ""))
        for one in operation.get("parameters", ())
    ]
    yield from table(("parameter", "in", "what it is"), taken)
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        shape = shapes.by_name[schema["$ref"].rpartition("/")[2]]
        yield from table(("field of the body", "what it is"), list(shapes.rows(shape)))
        (example, *_) = shape["examples"]
        yield f"\n```json\n{json.dumps(example, indent=2)}\n```"


def _answered(responses: Schema, shapes: Shapes, problems: dict[str, str]) -> Iterator[str]:
    for status, answer in responses.items():
        if status.startswith("2"):
            yield f"\nAnswers {status}: {_content(answer['content'], shapes)}."
        else:
            problems[status] = answer["description"]
    refused = ", ".join(sorted(status for status in responses if not status.startswith("2")))
    yield f"\nErrors: {refused}."


def _content(content: Schema, shapes: Shapes) -> str:
    ((media, said),) = content.items()
    return shapes.word(said["schema"]) if "schema" in said else f"`{media}`"
