"""Every story, cut after every single write: a controller that starts anew finishes the job."""

import pytest

from tests.engine.cuts import sweep
from tests.engine.every_write import EVERY_WRITE
from tests.engine.flux import FLUX
from tests.engine.hands import HANDS
from tests.engine.modes import MODES
from tests.engine.play import Play, check_end, with_sweep
from tests.engine.stories import STORIES as PLAIN
from tests.engine.stories import Story
from tests.engine.trouble import TROUBLES
from tests.engine.variety import VARIETY

WHOLE = (*PLAIN, *TROUBLES)
"""Cut after every write in every full run."""
THINNED = (*HANDS, *FLUX, *VARIETY, *MODES, *EVERY_WRITE)
"""Many, and much like those: cut after some writes, and after all with `--every-cut`."""


@pytest.mark.parametrize(
    "story", with_sweep([*WHOLE, *HANDS, *FLUX], [*VARIETY, *MODES, *EVERY_WRITE])
)
def test_a_story_ends_as_it_must(story: Story) -> None:
    play = Play(story)
    play.tell()
    check_end(play)
    if len(play.done) < len(story.deeds) + (story.after is not None):
        pytest.fail(f"only deeds {sorted(play.done)} were done")


@pytest.mark.parametrize("story", PLAIN, ids=lambda story: story.name)
def test_a_story_cut_here_and_there_ends_the_same(story: Story) -> None:
    """A thin sample of the sweep below, for every run."""
    sweep(Play(story), check_end, range(3, 200, 23))


@pytest.mark.sweep
@pytest.mark.timeout(300)
@pytest.mark.parametrize("story", WHOLE, ids=lambda story: story.name)
def test_a_story_cut_after_any_write_ends_the_same(story: Story) -> None:
    sweep(Play(story), check_end, range(1, 200))


@pytest.mark.sweep
@pytest.mark.timeout(300)
@pytest.mark.parametrize("story", THINNED, ids=lambda story: story.name)
def test_a_story_cut_after_some_writes_ends_the_same(story: Story, every_cut: int) -> None:
    cuts = range(1 + THINNED.index(story) % every_cut, 200, every_cut)
    sweep(Play(story), check_end, cuts)
