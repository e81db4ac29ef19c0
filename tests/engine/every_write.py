"""A rollback behind each write of the phases in which all traffic moves, told from the writes.

The command comes in the middle of a pass: what the controller had decided before still happens.
"""

from collections.abc import Iterator
from typing import Any, Final

from rollout.resources.release import Phase
from tests.build import blue_green, canary
from tests.engine.play import Play
from tests.engine.stories import Story, Written, act

MOVING: Final = frozenset({Phase.PROMOTING, Phase.ADOPTING})


def behind_each_write(name: str, strategy: dict[str, Any]) -> Iterator[Story]:
    """Tell a good release once, then once more for each of its writes in these phases."""
    play = Play(Story(name, Phase.SUCCEEDED, "Succeeded", strategy=strategy))
    play.tell()
    found = [write for write in play.noticed if write[0] in MOVING]
    for number, (phase, committed, action) in enumerate(dict.fromkeys(found), 1):
        end = Phase.SUCCEEDED if committed else Phase.ROLLED_BACK
        yield Story(
            f"{name}, rollback behind write {number}, {phase}: {action.partition('(')[0]}",
            end,
            "Succeeded" if committed else "RolledBackByPerson",
            strategy=strategy,
            after=Written(phase, action, act("rollback")),
        )


EVERY_WRITE: Final = (
    *behind_each_write("canary", canary()),
    *behind_each_write("blue-green", blue_green()),
)
