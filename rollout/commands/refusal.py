"""A command that cannot be carried out, by what somebody would have to change.

CommandRefusedError     not now, or not this: the message says what would
├── NotThereError       what is named does not exist
├── UnclearError        several things could be meant, or a value is none that we know
├── KeepsChangingError  others write to it all the time: nothing was asked
├── StaleRevisionError  the release is not the one that was looked at
└── KeyReusedError      the idempotency key stands for another request already
"""


class CommandRefusedError(Exception):
    """A command cannot be carried out; the message says why and what would."""


class NotThereError(CommandRefusedError):
    """What the command names does not exist."""


class UnclearError(CommandRefusedError):
    """The command does not say clearly enough what is meant."""


class KeepsChangingError(CommandRefusedError):
    """Others write to it all the time, so nothing was asked: it may be tried again."""


class StaleRevisionError(CommandRefusedError):
    """The release changed since somebody looked; `current` is its resourceVersion now."""

    def __init__(self, message: str, current: str) -> None:
        super().__init__(message)
        self.current = current


class KeyReusedError(CommandRefusedError):
    """An idempotency key was given before, with another request."""
