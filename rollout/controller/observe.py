"""From the caches to one value: all objects of a namespace that a decision may rest on.

Nothing is asked of the server here, but for one thing that has no cache: whether the namespace
itself is going. That is asked only while something in it is being deleted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from rollout.controller.queue import Key
from rollout.resources.release import Phase
from rollout.resources.writes import Delete, Kind, Object
from rollout.translation.objects import Objects


class View(Protocol):
    """What the caches know. Cluster-wide kinds have the namespace ""."""

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Give the latest known state of an object, None when there is none."""

    def list(self, kind: Kind, namespace: str | None) -> tuple[Object, ...]:
        """Give the latest known state of all objects of a namespace (None: of all)."""

    def readable(self, kind: Kind) -> bool:
        """Whether objects of this kind could be read at all."""

    def updated(self, answer: Object) -> None:
        """Show the answer of an own write at once."""

    def deleted(self, write: Delete) -> None:
        """Hide at once what we have deleted."""


@dataclass(frozen=True)
class Observer:
    """Reads what one pass looks at."""

    view: View
    terminating: Callable[[str], bool]
    """Whether a namespace is being deleted."""

    def releases(self, key: Key) -> tuple[Object, ...]:
        """Give all Releases of a Rollout, the oldest first."""
        found = self.view.list(Kind.RELEASE, key.namespace)
        mine = [one for one in found if (one.get("spec") or {}).get("rollout") == key.name]
        return tuple(sorted(mine, key=age))

    def rollout(self, key: Key) -> Object | None:
        """Give the Rollout itself, None when there is none."""
        return self.view.get(Kind.ROLLOUT, key.namespace, key.name)

    def objects(self, key: Key, release: Object) -> Objects:
        """Give everything that a decision about a release may rest on."""
        space, rollout = key.namespace, self.rollout(key)
        classes = self.view.readable(Kind.INGRESS_CLASS)
        return Objects(
            release=release,
            rollout=rollout,
            rollouts=self.view.list(Kind.ROLLOUT, space),
            releases=self.view.list(Kind.RELEASE, space),
            deployments=self.view.list(Kind.DEPLOYMENT, space),
            replica_sets=self.view.list(Kind.REPLICA_SET, space),
            pods=self.view.list(Kind.POD, space),
            services=self.view.list(Kind.SERVICE, space),
            ingresses=self.view.list(Kind.INGRESS, space),
            ingress_classes=self.view.list(Kind.INGRESS_CLASS, None) if classes else None,
            policies=self.view.list(Kind.ROLLOUT_POLICY, space),
            autoscalers=self.view.list(Kind.HORIZONTAL_POD_AUTOSCALER, space),
            namespace_terminating=self._terminating(space, release, rollout),
        )

    def _terminating(self, namespace: str, *objects: Object | None) -> bool:
        """Ask only when it matters: objects of a terminating namespace are all being deleted."""
        deleted = any(o is not None and "deletionTimestamp" in o["metadata"] for o in objects)
        return deleted and self.terminating(namespace)


def phase_of(release: Object) -> Phase:
    """Give the phase of a raw Release."""
    return Phase((release.get("status") or {}).get("phase") or Phase.PENDING)


def age(obj: Object) -> tuple[Any, ...]:
    """Order objects by age, the oldest first."""
    metadata = obj["metadata"]
    return (str(metadata.get("creationTimestamp", "")), str(metadata["name"]))


def to_decide(releases: tuple[Object, ...]) -> tuple[Object, ...]:
    """Choose the Releases that get a plan: the one that runs, and all that wait (I6).

    The one that runs comes first: any that has left Pending and not ended, else the oldest that
    waits. The others get their plan too, so that they are refused at once.
    """
    open_ = [one for one in releases if not phase_of(one).ended]
    running = [one for one in open_ if phase_of(one) is not Phase.PENDING]
    return (*running, *(one for one in open_ if one not in running))
