"""Every story of commits, cut after every write: no commit is lost, none is tried twice."""

from collections.abc import Callable, Hashable
from copy import copy
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

import pytest

from rollout.resources.release import Phase, Release
from rollout.resources.words import LATCH, POD_TEMPLATE_HASH, RESTORE, RESTORE_FINALIZER
from rollout.resources.writes import Kind
from rollout.simulate.world import World
from rollout.translation.deployments import without_hash
from tests.engine.commit_stories import STORIES
from tests.engine.commits import End, Story, idle, narrow_again, releases, shipped
from tests.engine.cuts import sweep
from tests.engine.given_back import Owned, is_as_it_was, with_tag
from tests.engine.play import MOST_WRITES, image_of
from tests.engine.states import States
from tests.engine.watch import Watch

QUIET = timedelta(seconds=30)


class Sentry(Watch):
    """The watch over whichever release runs."""

    def current(self) -> Release | None:
        """The release that runs: there is one at most (I6)."""
        begun = [r for r in releases(self.world) if r.status.phase is not Phase.PENDING]
        running = [r for r in begun if not r.status.phase.ended]
        assert len(running) <= 1, f"I6: {[r.metadata.name for r in running]} run"
        return running[0] if running else None


@dataclass
class Play:
    """One telling of a story."""

    story: Story
    world: World = field(init=False)
    watch: Sentry = field(init=False)
    owned: Owned = field(init=False)
    done: int = 0
    quiet_at: int = -1
    between_passes: Callable[[], None] = field(init=False)

    def __post_init__(self) -> None:
        self.world = World(self.story.objects(), judge=self.story.judge)
        if self.story.before:
            self.world.patch(Kind.DEPLOYMENT, "web", {"spec": {"paused": True}})
        self.owned = Owned.of(self.world)
        self.world.after_write = self.watch = Sentry(self.world, self.story.watched)
        self.between_passes = lambda: None

    def over(self) -> bool:
        """Do what people do now; over when all is done and nothing moves for a while."""
        self.between_passes()
        deeds = self.story.deeds
        if self.done < len(deeds):
            if deeds[self.done].when(self.world):
                self.done += 1
                deeds[self.done - 1].act(self.world)
                self.watch.people_have_acted()
            return False
        return idle(self.world) and self._quiet()

    def _quiet(self) -> bool:
        """Whether a while passes without any write."""
        before = len(self.world.done)
        written, _ = self.world.one_round("web")
        if not written and self.quiet_at == before:
            return True
        self.quiet_at = before if not written else -1
        self.world.advance_to(self.world.time + QUIET)
        return False

    def tell(self) -> None:
        """Play the story."""
        self.world.live("web", until=self.over)

    def fork(self) -> Self:
        """The same telling as of now, to go its own way."""
        twin = copy(self)
        twin.world = self.world.fork()
        twin.watch = self.watch.fork(twin.world)
        twin.world.after_write = twin.watch
        return twin

    def go_on(self, number: int, between_passes: Callable[[], None]) -> None:
        """Play on: the controller was killed after so many writes, and another one leads."""
        self.between_passes = between_passes
        for found in releases(self.world):
            self.world.take_over(found.metadata.name, f"{number}/another")
        self.tell()

    def state(self, states: States) -> Hashable:
        """All that bears on how the story goes on and ends."""
        watch, quiet = self.watch, self.quiet_at == len(self.world.done)
        return (
            states.of(self.world),
            self.done,
            quiet,
            watch.asked,
            watch.heard,
            frozenset(watch.excused),
            self.owned.state(states),
        )


def check_end(play: Play) -> None:
    """Assert that the story ended as it must."""
    story, world = play.story, play.world
    found = [End(shipped(r), r.status.phase, r.status.reason) for r in releases(world)]
    assert found == list(story.ends)
    check_target(story, world)
    check_owned(play)
    raw = world.get(Kind.ROLLOUT, "web")
    assert (raw is None) == story.deleted
    if raw is not None:
        held = story.spec.get("trigger") == "Template" and story.noted
        assert (RESTORE_FINALIZER in raw["metadata"].get("finalizers", [])) == held
    for kind in (Kind.DEPLOYMENT, Kind.SERVICE, Kind.INGRESS):
        assert [str(o["metadata"]["name"]) for o in world.all(kind)] == ["web"]
    service = world.get(Kind.SERVICE, "web")
    assert service is not None
    assert POD_TEMPLATE_HASH not in service["spec"]["selector"]


def check_owned(play: Play) -> None:
    """All else is as its owner had it (I5); the Rollout's own words are its owner's to change."""
    for key, old in play.owned.objects.items():
        kind, name = key.split("/")
        new = play.world.get(Kind[kind], name)
        if kind == "ROLLOUT":
            continue
        assert new is not None, f"{key} is gone"
        is_as_it_was(key, new, old, {RESTORE})
    target = play.world.get(Kind.DEPLOYMENT, "web")
    first = play.owned.objects["DEPLOYMENT/web"]["spec"]["template"]
    assert target is not None
    assert target["spec"]["template"] == with_tag(first, play.story.template)
    assert target["spec"]["replicas"] == play.story.replicas


def warned(world: World) -> list[str]:
    """Of what people were warned while no release ran; who is killed may not come to say it."""
    return [event.reason for event in world.told if event.warning]


def check_target(story: Story, world: World) -> None:
    """The Deployment has its owner's template, serves what was judged, and waits or does not."""
    target = world.get(Kind.DEPLOYMENT, "web")
    assert target is not None
    notes = target["metadata"].get("annotations") or {}
    assert image_of(target["spec"]["template"]) == f"registry.local/web:{story.template}"
    assert bool(target["spec"].get("paused")) == story.paused
    assert (RESTORE in notes, LATCH in notes) == (story.noted, False)
    sets = [rs for rs in world.all(Kind.REPLICA_SET) if rs["spec"].get("replicas")]
    serving = [image_of(without_hash(rs["spec"]["template"])) for rs in sets]
    assert serving == [f"registry.local/web:{story.serves}"]
    assert sets[0]["status"].get("readyReplicas") == story.replicas


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_commits_end_as_they_must(story: Story) -> None:
    play = Play(story)
    play.tell()
    check_end(play)
    assert warned(play.world) == list(story.warns)


@pytest.mark.sweep
@pytest.mark.timeout(600)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_commits_cut_after_any_write_end_the_same(story: Story, *, to_the_end: bool) -> None:
    sweep(Play(story), check_end, range(1, MOST_WRITES), to_the_end=to_the_end)


def test_a_selector_that_was_narrow_before_any_release_is_its_owners() -> None:
    world = World(STORIES[0].objects())
    narrow_again(world)
    for _ in range(5):
        world.one_round("web")
        world.advance_to(world.time + QUIET)
    found = world.get(Kind.SERVICE, "web")
    assert found is not None
    assert POD_TEMPLATE_HASH in found["spec"]["selector"]
    assert warned(world) == []
