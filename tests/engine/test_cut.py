"""Every story, cut after writes: a controller that starts anew finishes the job.

All are cut after every single write; a rollback behind a write from that rollback on.
"""

import pytest

from tests.engine.cuts import sweep
from tests.engine.every_write import EVERY_WRITE
from tests.engine.flux import FLUX
from tests.engine.hands import HANDS
from tests.engine.modes import MODES
from tests.engine.play import MOST_WRITES, Play, check_end, with_sweep
from tests.engine.stories import STORIES as PLAIN
from tests.engine.stories import Story
from tests.engine.trouble import TROUBLES
from tests.engine.variety import VARIETY

CUT = (*PLAIN, *TROUBLES, *VARIETY, *HANDS, *FLUX, *MODES)


@pytest.mark.parametrize(
    "story", with_sweep([*PLAIN, *TROUBLES, *VARIETY, *HANDS, *FLUX], [*MODES, *EVERY_WRITE])
)
def test_a_story_ends_as_it_must(story: Story) -> None:
    play = Play(story)
    play.tell()
    check_end(play)
    if len(play.done) < len(story.deeds) + (story.after is not None):
        pytest.fail(f"only deeds {sorted(play.done)} were done")
    assert play.last is not None
    assert set(story.tells) <= {entry.reason for entry in play.last.status.timeline}


@pytest.mark.parametrize("story", PLAIN, ids=lambda story: story.name)
def test_a_story_cut_here_and_there_ends_the_same(story: Story) -> None:
    """A thin sample of the sweep below, for every run."""
    sweep(Play(story), check_end, range(3, 200, 53))


def test_equal_states_go_on_equally() -> None:
    """What lets the sweep below end a telling where an earlier one was."""
    sweep(Play(PLAIN[0]), check_end, range(1, MOST_WRITES, 7), to_the_end=True)


@pytest.mark.sweep
@pytest.mark.timeout(600)
@pytest.mark.parametrize("story", CUT, ids=lambda story: story.name)
def test_a_story_cut_after_any_write_ends_the_same(story: Story, *, to_the_end: bool) -> None:
    sweep(Play(story), check_end, range(1, MOST_WRITES), to_the_end=to_the_end)


@pytest.mark.sweep
@pytest.mark.timeout(600)
@pytest.mark.parametrize("story", EVERY_WRITE, ids=lambda story: story.name)
def test_a_story_cut_after_any_write_from_its_deed_on_ends_the_same(
    story: Story, *, to_the_end: bool
) -> None:
    """Until then it is the story of a good release, which is cut after every write above."""
    first = Play(story)
    first.tell()
    assert first.acted_at is not None
    cuts = range(first.acted_at, MOST_WRITES)
    sweep(Play(story), check_end, cuts, to_the_end=to_the_end)
