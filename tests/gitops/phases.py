"""Objects of every phase, as the controller's own code has written them in the simulated world.

Stories of the engine are played, and after each write it is looked at what a person would see then:
each Release, the Rollout with the status that the controller gives it, and each Deployment.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from rollout import engine
from rollout.controller.rollouts import next_release, rollout_status
from rollout.engine.admission import APPROVAL
from rollout.engine.plan import Action
from rollout.resources.objects import annotations_of, name_of
from rollout.resources.words import RESTORE
from rollout.resources.writes import Kind, Object
from rollout.simulate.world import World
from rollout.translation.tending import tended
from tests.engine import commit_stories, hands, modes, stories, trouble, variety
from tests.engine.play import Play
from tests.engine.test_commits import Play as Committed

ALL: Final = {
    story.name: story
    for story in (*stories.STORIES, *trouble.TROUBLES, *hands.HANDS, *variety.VARIETY, *modes.MODES)
}
PLAYED: Final = (
    "a Deployment of somebody bears our name",
    "edited before anything was written down",
    "fast, away from a version that is not ready",
    "fast, no room, rolled back",
    "metrics cannot be read for the whole release, then Pause",
    "never decided",
    "no metrics, promoted in full by a person",
    "one replica",
    "paused during an approval",
    "scaled down in mid-release",
    "scaled to zero while paused by a person, rolled back",
    "scaled up in mid-release",
    "the Deployment is deleted at a step",
    "the target's own pods never get ready, rolled back",
    "by pods: scaled below what the step needs, and up again",
)
"""Stories in which everything happens that a tool could tell from something else."""
COMMITS: Final = {story.name: story for story in commit_stories.STORIES}
COMMITTED: Final = (
    "a bad commit is tried again once when the Rollout says so",
    "a commit that a person took back goes out when it is retried",
    "a revert while the target rolls",
    "a second commit while the target rolls, answered by rollback",
    "by command: a second release takes the place of the first",
    "the Rollout is deleted in mid-release",
    "the Rollout of a Deployment that was paused before is deleted",
    "the trigger is Command again while a bad commit waits, which is reverted",
)


@dataclass
class Seen:
    """Objects that differ in what a tool could tell of them."""

    releases: dict[Any, Object] = field(default_factory=dict)
    rollouts: dict[Any, Object] = field(default_factory=dict)
    deployments: dict[Any, Object] = field(default_factory=dict)

    def look(self, world: World) -> None:
        """Take what is new."""
        for release in world.all(Kind.RELEASE):
            self.releases.setdefault(_of_release(release), release)
        for deployment in world.all(Kind.DEPLOYMENT):
            self.deployments.setdefault(_of_deployment(deployment), deployment)
        for raw in world.all(Kind.ROLLOUT):
            rollout = as_the_controller_leaves_it(world, raw)
            self.rollouts.setdefault(_of_rollout(rollout), rollout)


def as_the_controller_leaves_it(world: World, rollout: Object) -> Object:
    """Give a Rollout the status that the controller writes when a pass is over."""
    mine = [r for r in world.all(Kind.RELEASE) if r["spec"]["rollout"] == name_of(rollout)]
    objects = world.around(next_release(rollout), rollout)
    _, tending = tended(objects, mine, world.time)
    status = rollout_status(rollout, mine, objects, world.time, tending)
    return {**rollout, "status": status.to_json()}


def _of_release(release: Object) -> Any:
    status, action = release.get("status") or {}, release["spec"].get("action") or {}
    paused = status.get("pausedFrom") or {}
    taken = any(one["id"] == action.get("id") for one in status.get("actions") or [])
    return (
        *(status.get("phase"), paused.get("phase"), paused.get("reason")),
        *(status.get("committed"), "cutover" in (status.get("marks") or {})),
        *(action.get("type"), taken, "deletionTimestamp" in release["metadata"]),
    )


def _of_rollout(rollout: Object) -> Any:
    status = rollout["status"]
    told = ((c["type"], c["status"], c["reason"]) for c in status["conditions"])
    going = "deletionTimestamp" in rollout["metadata"]
    return (*sorted(told), "rejected" in status, going)


def _of_deployment(deployment: Object) -> Any:
    spec, status = deployment["spec"], deployment.get("status") or {}
    counts = ("replicas", "updatedReplicas", "availableReplicas")
    return (
        spec.get("paused", False),
        RESTORE in annotations_of(deployment),
        deployment["metadata"]["generation"] == status.get("observedGeneration"),
        *(spec.get("replicas"), *(status.get(count) for count in counts)),
        *(c.get("reason") for c in status.get("conditions") or ()),
    )


@cache
def seen() -> Seen:
    """Play the stories; the same objects for all tests of a process."""
    found = Seen()
    for name in PLAYED:
        play = Play(ALL[name])
        _watched(play.world, found)
        play.tell()
        found.look(play.world)
    for name in COMMITTED:
        committed = Committed(COMMITS[name])
        _watched(committed.world, found)
        committed.tell()
        found.look(committed.world)
    return found


def _watched(world: World, found: Seen) -> None:
    before: Callable[[Action], None] = world.after_write

    def looked(action: Action) -> None:
        before(action)
        found.look(world)

    world.after_write = looked


def pause_reasons() -> set[str]:
    """Every reason for which the engine's code pauses a release."""
    folder = Path(str(engine.__file__)).parent
    return {
        reason
        for file in folder.glob("*.py")
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in {"pause", "paused_for"}
        for reason in _reasons(call.args[1])
    }


def _reasons(argument: ast.expr) -> Iterator[str]:
    match argument:
        case ast.Constant(value=str(word)):
            yield word
        case ast.Name(id="APPROVAL"):
            yield APPROVAL
        case ast.Call():  # the verdict's own word, where metrics are overdue
            yield from ("NoData", "Error")
        case _:
            raise AssertionError(f"a reason that is worded in a new way: {ast.dump(argument)}")
