"""Policy files read with a pencil: every problem at once, each with its line and the fix.

The models refuse what is wrong with the first thing they find in each field. Here the YAML is
looked at as it was written, so that a person who has misspelt a field is shown the line and the
nearest right name, and a key that stands twice, of which YAML silently takes the last, is found.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml
from pydantic import ValidationError

from rollout.resources import faults
from rollout.resources.crd import structural
from rollout.resources.faults import Location, nearest, path, worded
from rollout.resources.policy import RolloutPolicy, RolloutPolicySpec, twice

TOP: Final = ("apiVersion", "kind", "metadata", "spec", "status")


@dataclass(frozen=True)
class Problem:
    """One thing to mend. `line` is counted from 1; 0 where there is no file."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        """Say it as compilers do, so that editors jump there."""
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.path}: {self.message}" if self.path else f"{where}: {self.message}"


@dataclass(frozen=True)
class Document:
    """One document of a file: its problems, and the policy when the schema has none against it."""

    file: str
    node: yaml.Node | None
    problems: tuple[Problem, ...]
    policy: RolloutPolicy | None = None
    queries: tuple[tuple[Location, str], ...] = ()
    """PromQL that is written in it, and where; also of a policy that is not valid."""

    def problem(self, location: Location, message: str) -> Problem:
        """Word a problem at a place of this document."""
        return Problem(self.file, _line(self.node, location), path(location), message)


def documents(text: str, file: str) -> list[Document]:
    """Read all policies of a file; objects of other kinds beside them are passed over.

    `file` is its name, for messages.
    """
    try:
        nodes = [node for node in yaml.compose_all(text, Loader=yaml.SafeLoader) if node]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        said = getattr(error, "problem", None) or str(error)
        return [Document(file, None, (Problem(file, mark.line + 1 if mark else 1, "", said),))]
    if not nodes:
        return [Document(file, None, (Problem(file, 1, "", "there is nothing in it"),))]
    kinds = [_other_kind(node) for node in nodes]
    if all(kinds):
        said = f"there is no RolloutPolicy in it, only: {', '.join(dict.fromkeys(kinds))}"
        return [Document(file, nodes[0], (Problem(file, 1, "", said),))]
    pairs = zip(nodes, kinds, strict=True)
    return [_document(node, file) for node, other in pairs if not other]


def _other_kind(node: yaml.Node) -> str:
    """Name the kind of an object that is no policy; empty for what may be meant as one."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    written = {key.value: value.value for key, value in pairs}
    kind = written.get("kind") if "apiVersion" in written else None
    return kind if isinstance(kind, str) and kind != "RolloutPolicy" else ""


def from_cluster(raw: Mapping[str, Any]) -> Document:
    """Look at a policy as the cluster has it."""
    name = f"RolloutPolicy {raw['metadata'].get('namespace')}/{raw['metadata']['name']}"
    body = {key: raw[key] for key in ("apiVersion", "kind", "metadata", "spec") if key in raw}
    return _checked(Document(name, None, ()), body)


def _document(node: yaml.Node, file: str) -> Document:
    doubled = tuple(_doubled(node, file, ()))
    found = Document(file, node, doubled)
    try:
        value: Any = yaml.SafeLoader("").construct_document(node)
    except yaml.YAMLError as error:
        said = getattr(error, "problem", None) or str(error)
        return Document(file, node, (*doubled, found.problem((), said)))
    if not isinstance(value, dict) or value.get("kind") != "RolloutPolicy":
        kind = value.get("kind") if isinstance(value, dict) else type(value).__name__
        said = f"{kind or 'this'} is no RolloutPolicy: begin with apiVersion, kind and spec"
        return Document(file, node, (*doubled, found.problem((), said)))
    return _checked(found, value)


def _checked(found: Document, value: dict[str, Any]) -> Document:
    problems = [*found.problems]
    problems += [
        found.problem((key,), f"there is no such field: {nearest(str(key), TOP)}")
        for key in value
        if key not in TOP
    ]
    try:
        policy = RolloutPolicy.model_validate(value)
    except ValidationError as error:
        problems += _of_schema(found, error)
        policy = None
    spec = value.get("spec")
    named = list(_named_twice(found, spec))
    said = {problem.message for problem in named}
    problems = [*(problem for problem in problems if problem.message not in said), *named]
    queries = tuple(_queries(spec))
    return Document(found.file, found.node, tuple(_sorted(problems)), policy, queries)


def _metrics(spec: Any) -> Iterator[tuple[Location, dict[str, Any]]]:
    metrics = spec.get("metrics") if isinstance(spec, dict) else None
    for index, metric in enumerate(metrics if isinstance(metrics, list) else ()):
        if isinstance(metric, dict):
            yield ("spec", "metrics", index), metric


def _named_twice(found: Document, spec: Any) -> Iterator[Problem]:
    """Find equal names: the model looks at them only when all else is right."""
    seen = set[str]()
    for location, metric in _metrics(spec):
        name = metric.get("name")
        if isinstance(name, str) and name in seen:
            yield found.problem((*location, "name"), twice(name))
        seen.add(str(name))


def _queries(spec: Any) -> Iterator[tuple[Location, str]]:
    for location, metric in _metrics(spec):
        query = metric.get("query")
        if isinstance(query, str) and metric.get("kind") == "Value":
            yield (*location, "query"), query


def _sorted(problems: Iterable[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: problem.line)


def _of_schema(found: Document, error: ValidationError) -> Iterator[Problem]:
    for location, one in faults.found(error):
        unknown = one["type"] == "extra_forbidden"
        yield found.problem(location, _unknown(location) if unknown else worded(one))


def _unknown(location: Location) -> str:
    name = str(location[-1])
    schema = _schema_at(location[:-1])
    rules = schema.get("x-kubernetes-validations", ())
    elsewhere = (r["message"] for r in rules if r["rule"].startswith(f"!has(self.{name})"))
    known = schema.get("properties", {})
    said = next(elsewhere, None) if name in known else None
    return said or f"there is no such field: {nearest(name, known)}"


def _schema_at(location: Location) -> dict[str, Any]:
    """Give the part of the policy's schema that describes a place."""
    found: dict[str, Any] = {"properties": {"spec": structural(RolloutPolicySpec)}}
    for part in location:
        inner = found.get("items") if isinstance(part, int) else None
        found = inner or found.get("properties", {}).get(part, {})
    return found


def _doubled(node: yaml.Node, file: str, location: Location) -> Iterator[Problem]:
    """Find keys that stand twice in one mapping."""
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _doubled(item, file, (*location, index))
    if not isinstance(node, yaml.MappingNode):
        return
    seen = set[str]()
    for key, value in node.value:
        place = (*location, key.value)
        if key.value in seen:
            line = key.start_mark.line + 1
            yield Problem(file, line, path(place), "it stands here for the second time: drop one")
        seen.add(key.value)
        yield from _doubled(value, file, place)


def _line(node: yaml.Node | None, location: Location) -> int:
    """Give the line of a place, or of the nearest thing around it that was written."""
    if node is None:
        return 0
    line, at = node.start_mark.line, node
    for part in location:
        found = _inside(at, part)
        if found is None:
            break
        key, at = found
        line = key.start_mark.line
    return line + 1


def _inside(node: yaml.Node, part: int | str) -> tuple[yaml.Node, yaml.Node] | None:
    """Give the node that names a part, and the part."""
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    if isinstance(node, yaml.MappingNode):
        pairs = [(key, value) for key, value in node.value if key.value == str(part)]
        return pairs[-1] if pairs else None
    return None
