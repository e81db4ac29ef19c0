"""Carry a plan out, write by write: the lease is asked before each, the first failure ends it."""

from collections.abc import Callable
from dataclasses import dataclass

from rollout.engine.plan import Action, Plan
from rollout.kube.cluster import Cluster
from rollout.kube.errors import ClusterError
from rollout.resources.writes import Object, Write
from rollout.translation.objects import Objects
from rollout.translation.writes import writes


class LeaseLostError(Exception):
    """The lease is no longer ours: nothing more may be written."""


@dataclass(frozen=True)
class Outcome:
    """What became of a plan."""

    objects: Objects
    """The objects, with the answers of our writes in them."""
    done: int = 0
    """Writes that were carried out."""
    failed: Action | None = None
    error: ClusterError | None = None


class Executor:
    """Writes to the cluster while the lease is held."""

    def __init__(
        self,
        cluster: Cluster,
        leading: Callable[[], bool],
        on_answer: Callable[[Write, Object], None],
    ) -> None:
        """Prepare it. `on_answer` hears of every write and the object after it."""
        self._cluster = cluster
        self._leading = leading
        self._on_answer = on_answer

    def carry_out(self, plan: Plan, objects: Objects) -> Outcome:
        """Carry out the actions of a plan in order; stop at the first failure.

        Raises LeaseLostError when the lease is lost in between.
        """
        done = 0
        for action in plan.actions:
            try:
                for write in writes(action, objects):
                    objects = objects.replace(self.write(write))
                    done += 1
            except ClusterError as error:
                return Outcome(objects, done, action, error)
        return Outcome(objects, done)

    def write(self, write: Write) -> Object:
        """Carry out one write. Raises LeaseLostError, or the cluster's refusal."""
        if not self._leading():
            raise LeaseLostError("the lease was lost: nothing more is written")
        answer = self._cluster.apply(write)
        self._on_answer(write, answer)
        return answer
