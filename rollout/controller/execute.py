"""Carries out a plan, in order, up to the first thing that fails.

What comes after a failure was decided on the belief that it had worked, so it is not done. The
next pass looks at the cluster as it is then and decides anew.
"""

from dataclasses import dataclass, fields

from rollout.controller.writer import LeaseLostError, Writer
from rollout.engine.plan import Action
from rollout.kube.errors import AlreadyExists, ClusterError, Conflict, NotFound
from rollout.resources.writes import Delete, Write
from rollout.translation.objects import Objects
from rollout.translation.writes import writes

CONTESTED = (Conflict, AlreadyExists, NotFound)
"""Answers that say that the cache was a moment behind. They are part of everyday life."""


@dataclass(frozen=True)
class Outcome:
    """What came of a plan."""

    objects: Objects
    """The objects with the answers of all writes in them."""
    done: tuple[Action, ...] = ()
    written: int = 0
    """Writes that were carried out; an action may need none."""
    failed: Action | None = None
    error: Exception | None = None

    @property
    def contested(self) -> bool:
        """Whether somebody else wrote first: look again soon, nothing is wrong."""
        return isinstance(self.error, CONTESTED)

    @property
    def lost(self) -> bool:
        """Whether this process does not lead any more."""
        return isinstance(self.error, LeaseLostError)


def execute(actions: tuple[Action, ...], objects: Objects, writer: Writer) -> Outcome:
    """Carry out actions one after another; raises nothing that a cluster may answer."""
    written, done = 0, list[Action]()
    for action in actions:
        try:
            for write in writes(action, objects):
                objects = _carry_out(write, objects, writer)
                written += 1
        except (ClusterError, LeaseLostError) as error:
            return Outcome(objects, tuple(done), written, action, error)
        done.append(action)
    return Outcome(objects, tuple(done), written)


def _carry_out(write: Write, objects: Objects, writer: Writer) -> Objects:
    try:
        return objects.replace(writer.apply(write))
    except NotFound:
        if isinstance(write, Delete):
            return objects  # it is gone, which is what was asked for
        raise


def named(action: Action) -> str:
    """Say an action in few words, for logs and conditions: no templates, no whole status."""
    values = ((field.name, getattr(action, field.name)) for field in fields(action))
    said = [f"{name}={value}" for name, value in values if isinstance(value, str | int) and value]
    return f"{type(action).__name__}({', '.join(said)})" if said else type(action).__name__
