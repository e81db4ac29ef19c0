"""A story played in the simulated world, with a controller that may be killed after any write."""

from collections.abc import Callable, Hashable, Iterable
from copy import copy
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Self

import pytest

from rollout.engine.plan import Action
from rollout.resources.release import Phase, Release
from rollout.resources.writes import Kind
from rollout.simulate.world import World
from tests.engine.given_back import Owned, all_is_given_back
from tests.engine.states import States
from tests.engine.stories import Act, Story
from tests.engine.watch import Watch

NAME: Final = "web-v2"
MOST_WRITES: Final = 1000
BEHIND: Final = -1
"""The number of what is done behind a write, among the deeds."""


@dataclass
class Play:
    """One telling of a story."""

    story: Story
    world: World = field(init=False)
    watch: Watch = field(init=False)
    owned: Owned = field(init=False)
    done: set[int] = field(default_factory=set)
    acted_at: int | None = None
    """After how many writes somebody did what the story has them do behind a write."""
    last: Release | None = None
    noticed: list[tuple[Phase, bool, str]] = field(default_factory=list)
    """Each write: the release's phase then, whether it was committed, and what was written."""
    between_passes: Callable[[], None] = field(init=False)

    def __post_init__(self) -> None:
        story = self.story
        objects = story.cluster(strategy=story.strategy, replicas=story.replicas)
        self.world = World(objects, behaviour=story.behaviour, judge=story.judge)
        self.owned = Owned.of(self.world)
        self.watch = Watch(self.world, story)
        self.world.after_write = self.written
        self.between_passes = lambda: None

    def written(self, action: Action) -> None:
        """Look at the world after a write, and do what somebody does right behind it."""
        assert len(self.world.done) < MOST_WRITES, "the controller writes without end"
        self.watch(action)
        release, after = self.world.release(NAME), self.story.after
        if release is None:
            return
        named = self.world.done[-1].action
        self.noticed.append((release.status.phase, release.status.committed, named))
        now = after is not None and (after.phase, after.action) == (release.status.phase, named)
        if after is not None and now and BEHIND not in self.done:
            self.done.add(BEHIND)
            self.acted_at = len(self.world.done)
            self.do(after.act)
        if self.story.always is not None:
            self.story.always(self.world)

    def do(self, act: Act) -> None:
        """Do what somebody does, and take what they own from there as they have it."""
        before = self.world.get(Kind.DEPLOYMENT, "web")
        act(self.world)
        self.watch.people_have_acted()
        self.owned = self.owned.after(self.world, before)

    def others(self) -> None:
        """Have the controller look at the other releases, as it does in turn."""
        for raw in self.world.all(Kind.RELEASE):
            if raw["metadata"]["name"] != NAME:
                self.world.one_pass(str(raw["metadata"]["name"]))

    def over(self, release: Release | None) -> bool:
        """Do what people do now, and say whether the story has ended."""
        if release is None:
            return True
        self.last = release
        self.between_passes()
        self.others()
        for number, deed in enumerate(self.story.deeds):
            if number not in self.done and deed.when(self.world, release):
                self.done.add(number)
                self.do(deed.act)
                return False
        waits = self.story.waits
        stopped = release.status.phase is Phase.PAUSED and release.status.reason == waits
        return release.status.phase.ended or (stopped and len(self.done) == len(self.story.deeds))

    def tell(self) -> None:
        """Play the story."""
        self.world.run(NAME, until=self.over)

    def fork(self) -> Self:
        """The same telling as of now, to go its own way."""
        twin = copy(self)
        twin.world = self.world.fork()
        twin.watch = self.watch.fork(twin.world)
        twin.done, twin.noticed = set(self.done), list(self.noticed)
        twin.world.after_write = twin.written
        return twin

    def go_on(self, number: int, between_passes: Callable[[], None]) -> None:
        """Play on: the controller was killed after so many writes, and another one leads."""
        self.between_passes = between_passes
        self.world.take_over(NAME, f"{number}/another")
        self.tell()

    def state(self, states: States) -> Hashable:
        """All that bears on how the story goes on and ends, once its release was looked at."""
        watch = self.watch
        return (
            states.of(self.world),
            frozenset(self.done),
            watch.asked,
            watch.heard,
            frozenset(watch.excused),
            self.owned.state(states),
        )

    @property
    def end(self) -> tuple[Phase, str]:
        """How it must end, and why.

        A status that the controller was killed before it wrote is not written any more when things
        have gone on: then nobody has acted behind that write, and the release is a good one.
        """
        if self.story.after is not None and BEHIND not in self.done:
            return Phase.SUCCEEDED, "Succeeded"
        return self.story.end, self.story.reason

    def settle(self) -> None:
        """Give what was told to stop the time to be gone."""
        self.world.advance_to(self.world.time + timedelta(seconds=5))
        self.world.advance_to(self.world.time + timedelta(seconds=5))


def check_end(play: Play) -> None:
    """Assert that the story ended as it must."""
    story, release = play.story, play.last
    assert release is not None
    if story.waits is not None:
        assert (release.status.phase, release.status.reason) == (story.end, story.waits)
        return
    found = play.world.release(NAME)
    end, reason = play.end
    if found is not None:
        assert (found.status.phase, found.status.reason) == (end, reason)
        assert found.status.finished_at is not None
    play.settle()
    all_is_given_back(play.world, story, play.owned, end)
    check_displaced(story, release)
    target = play.world.get(Kind.DEPLOYMENT, "web")
    if story.gone:
        assert target is None
        return
    assert target is not None
    tag = "v2" if end is Phase.SUCCEEDED else "v1"
    wanted = story.image or ("v9" if story.edited else tag)
    assert image_of(target["spec"]["template"]) == f"registry.local/web:{wanted}"


def check_displaced(story: Story, release: Release) -> None:
    """An edit that was replaced is kept where its owner finds it."""
    kept = release.status.displaced_edit
    if story.displaced is not None:
        assert kept is not None
        assert image_of(kept) == f"registry.local/web:{story.displaced}"


def image_of(template: Any) -> str:
    """Image of the first container."""
    return str(template["spec"]["containers"][0]["image"])


def with_sweep(quick: Iterable[Story], rest: Iterable[Story]) -> list[Any]:
    """Tell all stories of a test by name; the rest only in the full run, beside the sweep."""
    told = [pytest.param(story, id=story.name) for story in quick]
    return told + [pytest.param(one, id=one.name, marks=pytest.mark.sweep) for one in rest]
