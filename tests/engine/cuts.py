"""A story in which the controller is killed after a write: at each one the world is forked.

Each fork is told until it ends, or comes to a state from which an earlier one was told to its end.
"""

from collections.abc import Callable, Hashable
from typing import Protocol, Self, TypeVar

import pytest

from rollout.simulate.world import World
from tests.engine.states import States, ToldBefore


class Telling(Protocol):
    """One telling of a story."""

    world: World

    def tell(self) -> None:
        """Play the story."""

    def fork(self) -> Self:
        """The same telling as of now, to go its own way."""

    def go_on(self, number: int, between_passes: Callable[[], None]) -> None:
        """Play on: the controller was killed after so many writes, and another one leads.

        `between_passes` is called whenever nothing is on its way.
        """

    def state(self, states: States) -> Hashable:
        """All that bears on how the story goes on and ends."""


T = TypeVar("T", bound=Telling)


def sweep(
    play: T, check_end: Callable[[T], None], cuts: range, *, to_the_end: bool = False
) -> None:
    """Tell a story, and at each of some writes also as if the controller were killed after it.

    `to_the_end` goes on where a state was met before, and holds what follows to what followed then.
    """
    done, states = set[int](), States()

    def cut() -> None:
        number = len(play.world.done)
        if number in cuts and number not in done:
            done.add(number)
            _tell_on(play.fork(), check_end, number, states, to_the_end=to_the_end)

    play.world.before_write = cut
    play.tell()
    check_end(play)
    assert done == {cut for cut in cuts if cut < len(play.world.done)}


def _tell_on(
    play: T, check_end: Callable[[T], None], number: int, states: States, *, to_the_end: bool
) -> None:
    last = play.world.done[number - 1].action
    met = _meets_again if to_the_end else _ends_where_it_was_told
    path: list[Hashable] = []
    try:
        play.go_on(number, lambda: met(play.state(states), path, states))
        check_end(play)
    except ToldBefore:
        pass
    except (AssertionError, TimeoutError) as error:
        pytest.fail(f"cut after write {number} ({last}): {error}")
    states.known.update(path)


def _ends_where_it_was_told(state: Hashable, path: list[Hashable], states: States) -> None:
    if state in states.known:
        raise ToldBefore
    path.append(state)


def _meets_again(state: Hashable, path: list[Hashable], states: States) -> None:
    """From a known state on every other one must be known, or a state does not say all."""
    met = bool(path) and path[-1] in states.known
    assert state in states.known or not met, "equal states went on differently"
    path.append(state)
