"""A story in which the controller is killed after a write: at each one the world is forked."""

from collections.abc import Callable
from typing import Protocol, Self, TypeVar

import pytest

from rollout.simulate.world import World


class Telling(Protocol):
    """One telling of a story."""

    world: World

    def tell(self) -> None:
        """Play the story."""

    def fork(self) -> Self:
        """The same telling as of now, to go its own way."""

    def go_on(self, number: int) -> None:
        """Play on: the controller was killed after so many writes, and another one leads."""


T = TypeVar("T", bound=Telling)


def sweep(play: T, check_end: Callable[[T], None], cuts: range) -> None:
    """Tell a story, and at each of some writes also as if the controller were killed after it."""
    done = set[int]()

    def cut() -> None:
        number = len(play.world.done)
        if number in cuts and number not in done:
            done.add(number)
            _tell_on(play.fork(), check_end, number)

    play.world.before_write = cut
    play.tell()
    check_end(play)
    assert done == {cut for cut in cuts if cut < len(play.world.done)}


def _tell_on(play: T, check_end: Callable[[T], None], number: int) -> None:
    last = play.world.done[number - 1].action
    try:
        play.go_on(number)
        check_end(play)
    except (AssertionError, TimeoutError) as error:
        pytest.fail(f"cut after write {number} ({last}): {error}")
