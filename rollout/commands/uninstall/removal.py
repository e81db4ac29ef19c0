"""Carrying an uninstallation out: give back, wait, then remove."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from rollout.commands.actions import new_action, submit
from rollout.commands.patience import PatientCluster
from rollout.commands.refusal import CommandRefusedError, KeepsChangingError
from rollout.commands.uninstall.steps import LAST, stays_paused
from rollout.commands.uninstall.survey import (
    Found,
    Survey,
    is_running,
    listed,
    others_in,
    place_of,
    still_paused,
)
from rollout.kube.cluster import Cluster
from rollout.kube.errors import Conflict, NotFound
from rollout.resources.action import ActionType
from rollout.resources.objects import is_terminating, name_of, namespace_of, uid_of
from rollout.resources.writes import Delete, Kind, Object

EVERY: Final = 0.2
"""Seconds between two looks."""
REASON: Final = "rollout is removed from the cluster"


@dataclass
class Removal:
    """One uninstallation. `by` is who asks; `tell` is given a sentence for all that is done.

    `seconds` bound each wait: for releases to end, for objects to be gone.
    """

    cluster: Cluster
    found: Survey
    by: str
    roll_back: bool
    tell: Callable[[str], None]
    seconds: float = 300.0
    _asked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Wait out an API server that is away: what is half removed is not left at that."""
        self.cluster = PatientCluster(self.cluster)

    def carry_out(self) -> None:
        """Do all of it.

        Raises CommandRefusedError when something does not end in time; what was done until then
        is told, and the next try goes on from there. Raises ClusterError for the cluster.
        """
        self._give_back()
        for place in still_paused(self.cluster):
            self.tell(stays_paused(place))
        self._forget(Kind.RELEASE)
        for part in self._parts():
            for one in part:
                self._delete(one)
            self._await_gone(part)
        for one in self.found.of_kind(Kind.NAMESPACE):
            self._leave(one)

    def _parts(self) -> Iterator[tuple[Found, ...]]:
        """Give what goes together, first what works with the rest."""
        yield self.found.of_kind(Kind.DEPLOYMENT)
        yield tuple(one for one in reversed(self.found.installed) if one.kind not in LAST)
        yield self.found.of_kind(Kind.CUSTOM_RESOURCE_DEFINITION)

    def _give_back(self) -> None:
        """End what runs, then delete the Rollouts; the controller gives back what they hold."""
        deadline = time.monotonic() + self.seconds
        while left := listed(self.cluster, Kind.ROLLOUT):
            running = tuple(filter(is_running, listed(self.cluster, Kind.RELEASE)))
            if running:
                self._end(running)
            else:
                self._give_up(left)
            self._check(deadline, (*running, *left))
            time.sleep(EVERY)

    def _end(self, running: tuple[Object, ...]) -> None:
        """Ask what runs to go back, each once; one that cannot any more is waited for."""
        for one in running:
            place = place_of(one)
            if not self.roll_back:
                raise CommandRefusedError(
                    f"release {place} was started meanwhile: wait for its end, or give --roll-back"
                )
            if place in self._asked:
                continue
            action = new_action(ActionType.ROLLBACK, self.by, REASON, datetime.now(UTC))
            try:
                said = submit(self.cluster, namespace_of(one), name_of(one), action)
            except (NotFound, KeepsChangingError):
                continue  # it is looked at again
            except CommandRefusedError as error:
                said = f"{error}; its end is waited for"
            self._asked.add(place)
            self.tell(said)

    def _give_up(self, rollouts: tuple[Object, ...]) -> None:
        """Delete Rollouts, each if it still is as it was when no release ran."""
        for one in rollouts:
            if not is_terminating(one):
                self._delete_as_seen(Kind.ROLLOUT, one)

    def _forget(self, kind: Kind) -> None:
        """Delete all objects of one of our kinds, and wait until they are gone."""
        deadline = time.monotonic() + self.seconds
        while left := listed(self.cluster, kind):
            for one in left:
                if not is_terminating(one):
                    self._delete_as_seen(kind, one)
            self._check(deadline, left)
            time.sleep(EVERY)

    def _delete_as_seen(self, kind: Kind, body: Object) -> None:
        version = str(body["metadata"]["resourceVersion"])
        place = (namespace_of(body), name_of(body))
        try:
            self.cluster.apply(Delete(kind, *place, uid_of(body), version))
        except (NotFound, Conflict):
            return  # gone, or changed: it is looked at again
        self.tell(f"{kind.value.kind} {place_of(body)} is deleted")

    def _delete(self, one: Found) -> None:
        try:
            self.cluster.apply(one.delete)
        except (NotFound, Conflict):
            return  # gone, or another one by now
        self.tell(f"{one} is deleted")

    def _await_gone(self, part: tuple[Found, ...]) -> None:
        deadline = time.monotonic() + self.seconds
        left = list(part)
        while left := [one for one in left if self._is_there(one)]:
            if time.monotonic() > deadline:
                names = ", ".join(map(str, left))
                raise CommandRefusedError(
                    f"{names}: not gone after {self.seconds:g} s; look what holds it "
                    "(`kubectl describe`), then give this command again"
                )
            time.sleep(EVERY)

    def _is_there(self, one: Found) -> bool:
        try:
            return uid_of(self.cluster.get(one.kind, one.namespace, one.name)) == one.uid
        except NotFound:
            return False

    def _check(self, deadline: float, waited_for: tuple[Object, ...]) -> None:
        if time.monotonic() > deadline:
            first = waited_for[0]
            raise CommandRefusedError(
                f"{first['kind']} {place_of(first)} is still there after {self.seconds:g} s, so "
                "the controller was not removed: its log tells what it waits for "
                f"(`kubectl logs deployment/rollout-controller -n {self.found.home}`); then give "
                "this command again"
            )

    def _leave(self, namespace: Found) -> None:
        others = others_in(self.cluster, namespace.name)
        if others:
            said = ", ".join(others)
            self.tell(f"{namespace} stays, because this is in it: {said}")
        else:
            self._delete(namespace)
