"""Every story, cut after every single write: a controller that starts anew finishes the job."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from rollout.resources.release import Phase, Release
from rollout.resources.writes import Kind, Object
from rollout.simulate.world import Cut, World
from tests.engine.hands import HANDS
from tests.engine.stories import STORIES as PLAIN
from tests.engine.stories import Story
from tests.engine.trouble import TROUBLES
from tests.engine.watch import Watch, all_is_given_back

NAME = "web-v2"
STORIES = (*PLAIN, *TROUBLES, *HANDS)


@dataclass
class Play:
    """One telling of a story."""

    story: Story
    world: World = field(init=False)
    before: dict[str, Object] = field(init=False)
    done: set[int] = field(default_factory=set)
    last: Release | None = None

    def __post_init__(self) -> None:
        story = self.story
        objects = story.cluster(strategy=story.strategy, replicas=story.replicas)
        self.world = World(objects, behaviour=story.behaviour, judge=story.judge)
        self.before = {
            f"{kind.name}/{o['metadata']['name']}": o
            for kind in (Kind.DEPLOYMENT, Kind.SERVICE, Kind.INGRESS)
            for o in self.world.all(kind)
        }
        self.world.after_write = Watch(self.world, story)

    def over(self, release: Release | None) -> bool:
        """Do what people do now, and say whether the story has ended."""
        if release is None:
            return True
        self.last = release
        for number, deed in enumerate(self.story.deeds):
            if number not in self.done and deed.when(self.world, release):
                self.done.add(number)
                deed.act(self.world)
                return False
        waits = self.story.waits
        stopped = release.status.phase is Phase.PAUSED and release.status.reason == waits
        return release.status.phase.ended or (stopped and len(self.done) == len(self.story.deeds))

    def tell(self, cut: int | None = None) -> None:
        """Play the story; the controller is killed after `cut` writes; another one leads."""
        self.world.fuel = cut
        try:
            self.world.run(NAME, until=self.over)
        except Cut:
            self.world.fuel = None
            self.world.take_over(NAME, f"{cut}/another")
            self.world.run(NAME, until=self.over)

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
    if found is not None:
        assert (found.status.phase, found.status.reason) == (story.end, story.reason)
        assert found.status.finished_at is not None
    play.settle()
    all_is_given_back(play.world, story, play.before)
    check_displaced(story, release)
    target = play.world.get(Kind.DEPLOYMENT, "web")
    if story.gone:
        assert target is None
        return
    assert target is not None
    tag = "v2" if story.end is Phase.SUCCEEDED else "v1"
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


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_story_ends_as_it_must(story: Story) -> None:
    play = Play(story)
    play.tell()
    check_end(play)
    if len(play.done) < len(story.deeds):
        pytest.fail(f"only deeds {sorted(play.done)} were done")


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_story_cut_here_and_there_ends_the_same(story: Story) -> None:
    """A thin sample of the sweep below, for every run."""
    sweep(story, range(3, 200, 23))


@pytest.mark.sweep
@pytest.mark.timeout(300)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_story_cut_after_any_write_ends_the_same(story: Story) -> None:
    sweep(story, range(1, 200))


def sweep(story: Story, cuts: range) -> None:
    whole = Play(story)
    whole.tell()
    for cut in [cut for cut in cuts if cut < len(whole.world.done)]:
        play = Play(story)
        try:
            play.tell(cut)
            check_end(play)
        except (AssertionError, TimeoutError) as error:
            last = play.world.done[cut - 1].action
            pytest.fail(f"cut after write {cut} ({last}): {error}")
