"""Legal moves between phases: a table that the eye can check and a picture is drawn from."""

from typing import Final

from rollout.resources.release import ENDED, Phase

MOVES: Final[dict[Phase, frozenset[Phase]]] = {
    Phase.PENDING: frozenset({Phase.PREPARING, Phase.FAILED, Phase.CANCELLED, Phase.SUPERSEDED}),
    Phase.PREPARING: frozenset({Phase.PROGRESSING, Phase.PAUSED, Phase.ROLLING_BACK}),
    Phase.PROGRESSING: frozenset({Phase.PAUSED, Phase.PROMOTING, Phase.BAKING, Phase.ROLLING_BACK}),
    Phase.PAUSED: frozenset(
        {
            Phase.PREPARING,
            Phase.PROGRESSING,
            Phase.PROMOTING,
            Phase.BAKING,
            Phase.ADOPTING,
            Phase.ROLLING_BACK,
        }
    ),
    Phase.PROMOTING: frozenset({Phase.BAKING, Phase.PAUSED, Phase.ROLLING_BACK}),
    Phase.BAKING: frozenset({Phase.ADOPTING, Phase.PAUSED, Phase.ROLLING_BACK}),
    Phase.ADOPTING: frozenset({Phase.SUCCEEDED, Phase.PAUSED, Phase.ROLLING_BACK}),
    Phase.ROLLING_BACK: frozenset(
        {Phase.ROLLED_BACK, Phase.FAILED, Phase.SUPERSEDED, Phase.CANCELLED}
    ),
} | {phase: frozenset() for phase in ENDED}


class IllegalMoveError(ValueError):
    """A phase was to follow another that it may not follow: a bug of ours, never the user's."""


def check_move(before: Phase, after: Phase) -> None:
    """Raise IllegalMoveError unless `after` is `before` or may follow it."""
    if before is not after and after not in MOVES[before]:
        raise IllegalMoveError(f"{after} cannot follow {before}")
