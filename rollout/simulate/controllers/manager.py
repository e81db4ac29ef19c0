"""Runs the control loops until nothing changes: one key at a time, in an order that repeats.

The log of the store is the only source of work, so a forked world goes on where it was forked.
"""

from datetime import datetime
from typing import Final

from rollout.kube.errors import Conflict, NotFound, Refused
from rollout.simulate.controllers.base import Controller, Hands, Key
from rollout.simulate.controllers.definitions import DefinitionController
from rollout.simulate.controllers.deployment import DeploymentController
from rollout.simulate.controllers.endpointslice import EndpointSliceController
from rollout.simulate.controllers.garbage import GarbageCollector
from rollout.simulate.controllers.namespaces import NamespaceController
from rollout.simulate.controllers.replicaset import ReplicaSetController

CONTROLLERS: Final[tuple[Controller, ...]] = (
    DeploymentController(),
    ReplicaSetController(),
    EndpointSliceController(),
    GarbageCollector(),
    NamespaceController(),
    DefinitionController(),
)
LIMIT: Final = 20_000
"""Looks after which a world that still changes is taken for one that never settles."""

NAMESPACE_TERMINATING: Final = "NamespaceTerminating"
"""The cause of a refusal that is none of a loop's business: what it looks after goes away."""

Task = tuple[int, Key]


class ControlLoopError(Exception):
    """A control loop tried something that the API refuses: a mistake in the loop, or in a rule."""


class NeverSettlesError(Exception):
    """Control loops kept changing the cluster: two of them, or a rule and a loop, disagree."""


class Manager:
    """The queue of all control loops."""

    def __init__(self, hands: Hands, seen: int = 0) -> None:
        self._hands = hands
        self._seen = seen
        self._queue: dict[Task, None] = {}
        self._due: dict[Task, datetime] = {}

    def fork(self, hands: Hands) -> "Manager":
        """A manager that goes on in another world."""
        twin = Manager(hands, self._seen)
        twin._queue = dict(self._queue)
        twin._due = dict(self._due)
        return twin

    def settle(self) -> int:
        """Run until nothing is left to do; gives the number of looks taken.

        Raises NeverSettlesError or ControlLoopError.
        """
        looks = 0
        while self.step():
            looks += 1
            if looks > LIMIT:
                raise NeverSettlesError(f"still busy after {LIMIT} looks with {list(self._queue)}")
        return looks

    def step(self) -> bool:
        """Take one look; says whether there was one to take."""
        self._wake()
        if not self._queue:
            return False
        task = next(iter(self._queue))
        del self._queue[task]
        self._due.pop(task, None)
        controller, key = task
        try:
            moment = CONTROLLERS[controller].reconcile(key, self._hands)
        except (Conflict, NotFound):
            self._queue[task] = None
            return True
        except Refused as refusal:
            if any(cause.reason == NAMESPACE_TERMINATING for cause in refusal.causes):
                return True
            loop = type(CONTROLLERS[controller]).__name__
            raise ControlLoopError(f"{loop} at {'/'.join(key)}: {refusal}") from refusal
        if moment is not None:
            self._due[task] = moment
        return True

    def next_due(self) -> datetime | None:
        """When a loop wants to look again without a change, if one does."""
        return min(self._due.values(), default=None)

    def _wake(self) -> None:
        """Queue what the log and the clock give reason to look at."""
        store = self._hands.registry.store
        if self._seen < store.version:
            changes = store.since(max(self._seen, store.oldest_version))
            self._seen = store.version
            for change in changes:
                for number, controller in enumerate(CONTROLLERS):
                    for key in controller.keys(change, self._hands):
                        self._queue[number, key] = None
        if self._due:
            now = self._hands.now()
            for task in [task for task, moment in self._due.items() if moment <= now]:
                del self._due[task]
                self._queue[task] = None
