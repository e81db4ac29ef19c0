"""A story in which the controller is killed after a write: at each one the world is forked.

Each fork is told until it ends, or comes to a state from which an earlier one was told to its end.
"""

from collections.abc import Callable, Hashable
from typing import Protocol, Self, TypeVar

import pytest

from rollout.kube.errors import ClusterError
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
    course = Course(states, to_the_end=to_the_end)
    try:
        play.go_on(number, lambda: course.goes_by(play.state(states)))
        check_end(play)
        course.ends()
    except ToldBefore:
        return
    except (AssertionError, TimeoutError, ClusterError) as error:
        pytest.fail(f"cut after write {number} ({last}): {type(error).__name__}: {error}")


class Course:
    """The states that one telling goes by."""

    def __init__(self, states: States, *, to_the_end: bool) -> None:
        self._states = states
        self._to_the_end = to_the_end
        self._own: list[Hashable] = []
        self._expected: Hashable = None
        self._met = False

    def goes_by(self, state: Hashable) -> None:
        """Take the next state. Raises ToldBefore where it is known how the story goes on."""
        if self._met:
            assert state == self._expected, "equal states went on differently"
        elif state in self._states.known:
            self._states.learn(self._own, state)
            if not self._to_the_end:
                raise ToldBefore
            self._met = True
        else:
            self._own.append(state)
        self._expected = self._states.known.get(state)

    def ends(self) -> None:
        """Take note that the story ended well."""
        if self._met:
            assert self._expected is None, "the story ended where it once went on"
        else:
            self._states.learn(self._own)
