"""Text to documents: each knows its file and its number, for messages."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from rollout.convert.ledger import Ledger, Source, UnreadableError


@dataclass
class Document:
    """One object of the input."""

    file: str
    number: int
    """Counted from 1, as people count."""
    body: Mapping[str, Any]
    given: str = ""
    """The options of `rollout convert` that had all of the input read."""
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.given = self.given or f"-f {self.file}"
        self.ledger = Ledger(self.where, self.subject, self.body)

    @property
    def where(self) -> str:
        """File and number of the document."""
        return f"{self.file}, document {self.number}"

    @property
    def kind(self) -> str:
        """What kind of object it is."""
        return str(self.body["kind"])

    @property
    def group(self) -> str:
        """The API group, empty for Kubernetes' own first."""
        return str(self.body["apiVersion"]).rpartition("/")[0]

    @property
    def name(self) -> str:
        """Name of the object."""
        return str(self.body["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Namespace, empty where it is left to whoever applies it."""
        return str(self.body["metadata"].get("namespace") or "")

    @property
    def subject(self) -> str:
        """The object, as people name it."""
        space = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {space}{self.name}"

    @property
    def source(self) -> Source:
        """The document, to be read."""
        return Source(self.ledger, (), self.body)


def together(one: str, other: str) -> bool:
    """Whether two namespaces are one; an empty one is left to whoever applies, and may be any."""
    return not one or not other or one == other


def documents(text: str, file: str, given: str = "") -> list[Document]:
    """Read the documents of a text; lists of objects are taken apart.

    `given`: the options that had all of the input read, where it is more than this text.

    Raises UnreadableError, with file, document and field, for what is no Kubernetes object.
    """
    found = []
    try:
        for number, body in enumerate(yaml.safe_load_all(text), 1):
            found += [_document(one, file, number, given) for one in _objects(body)]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        said = getattr(error, "problem", None) or str(error)
        templated = ": render it first (`helm template`)" if "{{" in text else ""
        raise UnreadableError(f"{file}{line}: no YAML: {said}{templated}") from error
    return found


def _objects(body: Any) -> Iterator[Any]:
    if isinstance(body, Mapping) and body.get("kind") == "List" and "items" in body:
        yield from body["items"] or ()
    elif body is not None:
        yield body


def _document(body: Any, file: str, number: int, given: str) -> Document:
    where = f"{file}, document {number}"
    if not isinstance(body, Mapping):
        raise UnreadableError(f"{where}: {type(body).__name__} is no object: begin with apiVersion")
    for key in ("apiVersion", "kind"):
        if not isinstance(body.get(key), str):
            said = repr(body[key]) if key in body else "missing"
            raise UnreadableError(
                f"{where}: {key} is {said}, so it is no Kubernetes object: leave the file out, or "
                "render it first if it is a part of a chart (`helm template`)"
            )
    metadata = body.get("metadata")
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("name"), str):
        if body["kind"] == "Kustomization":
            return Document(file, number, {**body, "metadata": {"name": file}}, given)
        raise UnreadableError(f"{where}: {body['kind']}: metadata.name is missing: write it")
    return Document(file, number, body, given)
