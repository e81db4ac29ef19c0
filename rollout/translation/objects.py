"""Everything that one pass reads, as raw JSON, in one value.

Answers of writes are put back with `replace`, so that the next write of the same plan carries the
resourceVersion that the server has by then.
"""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Final, Self

from rollout.analysis.verdict import ReleaseVerdict
from rollout.resources.objects import name_of
from rollout.resources.release import Release
from rollout.resources.writes import Object

_LISTS: Final = {
    "Release": "releases",
    "Deployment": "deployments",
    "ReplicaSet": "replica_sets",
    "Pod": "pods",
    "Service": "services",
    "Ingress": "ingresses",
}


@dataclass(frozen=True)
class Objects:
    """All raw objects of the release's namespace that a decision may rest on."""

    release: Object
    rollout: Object | None = None
    rollouts: tuple[Object, ...] = ()
    releases: tuple[Object, ...] = ()
    deployments: tuple[Object, ...] = ()
    replica_sets: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()
    services: tuple[Object, ...] = ()
    ingresses: tuple[Object, ...] = ()
    ingress_classes: tuple[Object, ...] | None = None
    """None: they cannot be read."""
    policies: tuple[Object, ...] = ()
    autoscalers: tuple[Object, ...] = ()
    namespace_terminating: bool = False
    verdict: ReleaseVerdict | None = None

    @property
    def namespace(self) -> str:
        """Return the namespace that all this is in."""
        return str(self.release["metadata"]["namespace"])

    @cached_property
    def parsed(self) -> Release:
        """Return the release as a model: many ask, and reading it costs more than what they do."""
        return Release.model_validate(self.release)

    def named(self, what: str, name: str) -> Object | None:
        """Find an object of one of the lists by name."""
        return next((o for o in getattr(self, what) if name_of(o) == name), None)

    def replace(self, answer: Object) -> Self:
        """Return the same with a newer version of one object in it."""
        kind, changes = str(answer.get("kind", "")), dict[str, Any]()
        if kind == "Release" and name_of(answer) == name_of(self.release):
            changes["release"] = answer
        if kind == "Rollout" and self.rollout and name_of(answer) == name_of(self.rollout):
            changes["rollout"] = answer
        if (what := _LISTS.get(kind)) is not None:
            others = tuple(o for o in getattr(self, what) if name_of(o) != name_of(answer))
            changes[what] = (*others, answer)
        known = {field.name for field in fields(self)}
        return replace(self, **{k: v for k, v in changes.items() if k in known})
