"""Moving without downtime: commands, one after the other, with the names of what is moved."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rollout.convert.documents import Document
from rollout.convert.draft import Draft


@dataclass(frozen=True)
class Move:
    """One command, and why; words in capitals are to be filled in."""

    why: str
    command: str


def place(document: Document) -> str:
    """Word the namespace of an object as kubectl takes it; empty where it is left to people."""
    return f" -n {document.namespace}" if document.namespace else ""


def apply(document: Document, drafts: Iterable[Draft], *options: str) -> str:
    """Apply some of what an input has become, and nothing else of it."""
    only = " ".join(f"--only {draft.kind}/{draft.name}" for draft in drafts)
    how = " ".join(["kubectl apply", *options, "-f -"])
    return f"rollout convert {document.given} {only} | {how}{place(document)}"


def scaled(target: str, document: Document) -> tuple[Move, Move]:
    """Bring a Deployment to the size of what serves, and wait."""
    space = place(document)
    return (
        Move(
            "bring as many of your Deployment up",
            f"kubectl scale deployment {target} --replicas COUNT{space}",
        ),
        Move("wait until its pods are ready", f"kubectl rollout status deployment/{target}{space}"),
    )


def last(document: Document, drafts: Iterable[Draft]) -> tuple[Move, ...]:
    """Hand it over to rollout."""
    return (
        Move("have rollout look after it", apply(document, drafts)),
        Move(
            "see whether releases will go well", f"rollout doctor {document.name}{place(document)}"
        ),
    )


def labels_in(body: Any, *path: str) -> Mapping[str, Any]:
    """Give the labels at a place of an object; none where there is something else."""
    for key in path:
        body = body.get(key) if isinstance(body, Mapping) else None
    return body if isinstance(body, Mapping) else {}
