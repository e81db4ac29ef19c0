"""A request of the API and its answer, as values: what is left when HTTP is taken away."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rollout.sandbox.apiserver.target import Target
from rollout.sandbox.apiserver.users import User
from rollout.sandbox.apiserver.views import View
from rollout.sandbox.apiserver.wire import Shape
from rollout.simulate.objects import Json


@dataclass(frozen=True)
class Ask:
    """What is asked, of which kind, by whom."""

    verb: str
    target: Target
    view: View
    user: User
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str = "application/json"
    shape: Shape = field(default_factory=Shape)
    warnings: list[str] = field(default_factory=list)
    """What the person who asked should be told beside the answer; filled while answering."""

    @property
    def namespace(self) -> str:
        """The namespace of the path; empty when it names none."""
        return self.target.namespace or ""


@dataclass(frozen=True)
class Answer:
    """A status code and a JSON body."""

    status: int
    body: Json


_OF_COLLECTION: Final = {
    "GET": "list",
    "HEAD": "list",
    "POST": "create",
    "DELETE": "deletecollection",
}
_OF_OBJECT: Final = {
    "GET": "get",
    "HEAD": "get",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_OF_PART: Final = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch"}


def verb_of(method: str, target: Target, *, watch: bool) -> str:
    """The Kubernetes verb of an HTTP method at a target; empty where there is none."""
    if watch and method == "GET":
        return "watch"
    known = _OF_PART if target.subresource else _OF_OBJECT if target.name else _OF_COLLECTION
    return known.get(method, "")
