"""A story told again and again, with the controller killed after another write each time."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import pytest

from rollout.simulate.world import World


class Telling(Protocol):
    """One telling of a story."""

    world: World

    def tell(self, cut: int | None = None) -> None:
        """Play the story; the controller is killed after `cut` writes and another one leads."""


T = TypeVar("T", bound=Telling)


def sweep(begin: Callable[[], T], check_end: Callable[[T], None], cuts: range) -> None:
    """Tell a story once whole, then cut after each of some writes: it must end as it must."""
    whole = begin()
    whole.tell()
    for cut in [cut for cut in cuts if cut < len(whole.world.done)]:
        play = begin()
        try:
            play.tell(cut)
            check_end(play)
        except (AssertionError, TimeoutError) as error:
            last = play.world.done[cut - 1].action
            pytest.fail(f"cut after write {cut} ({last}): {error}")
